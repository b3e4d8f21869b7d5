# What the guest's kernel has: a feature a section, each used by root in a network namespace of its own.
#
#   ### name of the feature
#   # what is tried, in docs/guest.md's words
#   commands, under `bash -e`: one that fails fails the feature
#
# tests/guest/features.py runs the sections; the lines before the first one stand before each. Programs are in programs/.

set -o pipefail

# two namespaces, l and r, and a veth between them
two() {
	ip netns add l
	ip netns add r
	ip link add v0 netns l numtxqueues 4 numrxqueues 4 type veth peer v0 netns r numtxqueues 4 numrxqueues 4
	ip -n l link set v0 address 02:00:00:00:00:01
	ip -n r link set v0 address 02:00:00:00:00:02
	for n in l r; do
		ip -n $n link set lo up
		ip -n $n link set v0 up
	done
	ip -n l address add 10.9.0.1/24 dev v0
	ip -n r address add 10.9.0.2/24 dev v0
}

# in l, in r; with this mount namespace, so that /sys/fs/bpf is there
l() { nsenter --net=/run/netns/l "$@"; }
r() { nsenter --net=/run/netns/r "$@"; }
# again each second: a link that has just come up may lose the first
reach() { l ping -q -c 1 -w 30 "$1"; }
# `!` alone is never taken for a failure by bash -e
fails() { ! "$@"; }

# netdevsim ID PORTS, and the name of its first port
sim() {
	modprobe netdevsim
	echo "$1 ${2:-1}" > /sys/bus/netdevsim/new_device
}
port() {
	devlink -j port show | jq -r --arg sim "netdevsim/netdevsim$1/" \
		'[.port | to_entries[] | select(.key | startswith($sim)) | .value.netdev][0]'
}

index() { ip -j link show "$1" | jq '.[0].ifindex'; }

# compile programs/NAME.bpf.c once; load all.bpf.c once and pin it; read its counter
object() { [ -e "/run/$1.o" ] || clang -target bpf -D__TARGET_ARCH_x86 -g -O2 -c "/lab/$1.bpf.c" -o "/run/$1.o"; }
load() {
	object all
	mkdir -p /sys/fs/bpf/all
	[ -e /sys/fs/bpf/all/hits ] || bpftool prog loadall /run/all.o /sys/fs/bpf/all pinmaps /sys/fs/bpf/all
}
value() { bpftool -j map lookup pinned "${2:-/sys/fs/bpf/all}/hits" key "$1" 0 0 0 | jq -r .formatted.value; }

clean() {
	for n in l r s; do
		[ ! -e /run/netns/$n ] || ip netns del $n
	done
	for d in /sys/bus/netdevsim/devices/*; do
		[ ! -e "$d" ] || echo "${d##*netdevsim}" > /sys/bus/netdevsim/del_device
	done
}
trap clean EXIT

### the kernel's log
# a line written to and read from `dmesg`
echo hello-log > /dev/kmsg
dmesg | grep hello-log

### mounts
# tmpfs, overlayfs and a loop device mounted by hand
unshare -m bash -ec '
	mount -t tmpfs t /mnt
	mkdir /mnt/upper /mnt/work /mnt/both
	mount -t overlay o -o lowerdir=/usr,upperdir=/mnt/upper,workdir=/mnt/work /mnt/both
	touch /mnt/both/new
	test -e /mnt/upper/new
	echo hello > /mnt/disk
	truncate -s 4M /mnt/disk
	loop=$(losetup --show --find /mnt/disk)
	head -n 1 $loop | grep hello
	losetup --detach $loop
'

### modules
# `modprobe` and `rmmod`
modprobe pktgen
lsmod | grep pktgen
rmmod pktgen

### the kernel's configuration
# `/proc/config.gz`
zcat /proc/config.gz | grep CONFIG_NETDEVSIM=m

### namespaces
# user, mount, pid, net, uts and ipc together
test "$(unshare -Urmpinuf --mount-proc bash -c 'echo $$')" = 1

### control groups, version 2
# a memory limit that is kept to, and the controllers cpu, cpuset, io, pids
cd /sys/fs/cgroup
for controller in cpu cpuset io memory pids; do
	grep -qw $controller cgroup.subtree_control
done
mkdir try
echo 8M > try/memory.max
fails bash -c 'echo $$ > /sys/fs/cgroup/try/cgroup.procs; head -c 64M /dev/zero | tail' > /dev/null
grep -E 'oom_kill [1-9]' try/memory.events
rmdir try

### veth
# a ping between two namespaces
two
reach 10.9.0.2

### bridge with VLAN filtering
# two ports of one VLAN reach each other, the port of another is not reached
two
ip netns add s
ip -n l link del v0
ip -n s link add br0 type bridge vlan_filtering 1
ip -n s link set br0 up
for pair in 'l 1' 'r 2'; do
	read -r host number <<< "$pair"
	ip -n s link add p$number type veth peer name v0 netns $host
	ip -n s link set p$number master br0 up
	bridge -n s vlan add dev p$number vid 10 pvid untagged
	ip -n $host address add 10.9.0.$number/24 dev v0
	ip -n $host link set v0 up
done
reach 10.9.0.2
bridge -n s vlan del dev p2 vid 10
bridge -n s vlan add dev p2 vid 20 pvid untagged
fails l ping -q -c 1 -W 1 10.9.0.2

### vlan
# 802.1Q and 802.1ad on a veth
two
for n in l r; do
	ip -n $n link add v0.7 link v0 type vlan id 7
	ip -n $n link add v0.8 link v0 type vlan protocol 802.1ad id 8
	ip -n $n link set v0.7 up
done
ip -n l address add 10.7.0.1/24 dev v0.7
ip -n r address add 10.7.0.2/24 dev v0.7
reach 10.7.0.2

### bond
# active-backup over two links, one of which is taken away
ip netns add l
ip netns add r
for i in 1 2; do
	ip link add e$i netns l type veth peer e$i netns r
done
for n in l r; do
	ip -n $n link add b0 type bond mode active-backup miimon 50
	for i in 1 2; do
		ip -n $n link set e$i master b0
	done
	ip -n $n link set b0 up
done
ip -n l address add 10.9.0.1/24 dev b0
ip -n r address add 10.9.0.2/24 dev b0
sleep 0.5
ip -n l link set e1 down
sleep 0.5
reach 10.9.0.2

### team, hsr, dummy, ifb, nlmon
# each made
for kind in team dummy ifb nlmon; do
	ip link add x0 type $kind
	ip link set x0 up
	ip link del x0
done
two
ip -n l link add d0 type dummy
ip -n l link add h0 type hsr slave1 v0 slave2 d0 version 1

### macvlan, macvtap, ipvlan
# each on a veth
two
ip -n l link add m0 link v0 type macvlan mode bridge
ip -n l link add t0 link v0 type macvtap
ip -n r link add i0 link v0 type ipvlan
ls /sys/class/macvtap

### tun and tap
# `/dev/net/tun`
ip tuntap add mode tap name t0
ip link set t0 up
ip tuntap del mode tap name t0
ip tuntap add mode tun name t1

### vrf
# a route in a table of its own
ip link add red type vrf table 100
ip link set red up
ip link add d0 type dummy
ip link set d0 master red up
ip address add 10.1.0.1/24 dev d0
ip route show vrf red | grep 10.1.0.0

### netkit
# a pair with a BPF program in it, which counts a ping
load
two
ip link add n0 netns l type netkit mode l2 peer name n0 netns r
for n in l r; do
	ip -n $n link set n0 up
done
ip -n l address add 10.8.0.1/24 dev n0
ip -n r address add 10.8.0.2/24 dev n0
l python3 /lab/netkit.py n0
reach 10.8.0.2
test $(value 3) -gt 0

### vxlan and geneve
# a ping through each
two
for pair in 'l 1 2' 'r 2 1'; do
	read -r n mine theirs <<< "$pair"
	ip -n $n link add x0 type vxlan id 5 remote 10.9.0.$theirs dstport 4789 dev v0
	ip -n $n link add g0 type geneve id 6 remote 10.9.0.$theirs
	ip -n $n link set x0 up
	ip -n $n link set g0 up
	ip -n $n address add 10.5.0.$mine/24 dev x0
	ip -n $n address add 10.6.0.$mine/24 dev g0
done
reach 10.5.0.2
reach 10.6.0.2

### gre, ipip, fou
# a ping through each of the first two; a fou port
two
for pair in 'l 1 2' 'r 2 1'; do
	read -r n mine theirs <<< "$pair"
	for kind in gre ipip; do
		ip -n $n link add t$kind type $kind local 10.9.0.$mine remote 10.9.0.$theirs
		ip -n $n link set t$kind up
	done
	ip -n $n address add 10.5.0.$mine/24 dev tgre
	ip -n $n address add 10.6.0.$mine/24 dev tipip
done
reach 10.5.0.2
reach 10.6.0.2
ip fou add port 5555 ipproto 4

### WireGuard
# a ping through a tunnel with keys of its own
two
for n in l r; do
	wg genkey > /run/$n.key
	wg pubkey < /run/$n.key > /run/$n.pub
done
for pair in 'l r 1 2' 'r l 2 1'; do
	read -r me peer mine theirs <<< "$pair"
	ip -n $me link add wg0 type wireguard
	ip netns exec $me wg set wg0 listen-port 51820 private-key /run/$me.key \
		peer "$(cat /run/$peer.pub)" allowed-ips 10.5.0.0/24 endpoint 10.9.0.$theirs:51820
	ip -n $me address add 10.5.0.$mine/24 dev wg0
	ip -n $me link set wg0 up
done
reach 10.5.0.2
l wg show wg0 latest-handshakes | grep -E '[1-9][0-9]+$'

### IPsec (xfrm)
# ESP states and policies between two namespaces
two
key=0x0123456789012345678901234567890123456789
there='src 10.9.0.1 dst 10.9.0.2'
back='src 10.9.0.2 dst 10.9.0.1'
for n in l r; do
	ip -n $n xfrm state add $there proto esp spi 1 mode transport aead 'rfc4106(gcm(aes))' $key 128
	ip -n $n xfrm state add $back proto esp spi 2 mode transport auth 'hmac(sha1)' $key enc 'cbc(aes)' ${key:0:34}
done
ip -n l xfrm policy add $there dir out tmpl $there proto esp mode transport
ip -n r xfrm policy add $back dir out tmpl $back proto esp mode transport
reach 10.9.0.2
ip -n r -s xfrm state | grep -A1 'lifetime current' | grep -E '[1-9][0-9]*\(packets\)'

### MACsec
# a ping over an encrypted link
two
for pair in 'l 1 2' 'r 2 1'; do
	read -r n mine theirs <<< "$pair"
	key=1111111111111111111111111111111
	ip -n $n link add link v0 sec type macsec encrypt on
	ip -n $n macsec add sec tx sa 0 pn 1 on key 0$mine $key$mine
	ip -n $n macsec add sec rx port 1 address 02:00:00:00:00:0$theirs
	ip -n $n macsec add sec rx port 1 address 02:00:00:00:00:0$theirs sa 0 pn 1 on key 0$theirs $key$theirs
	ip -n $n address add 10.5.0.$mine/24 dev sec
	ip -n $n link set sec up
done
reach 10.5.0.2

### MPLS
# a label route
sysctl -qw net.mpls.platform_labels=100
ip -f mpls route add 16 dev lo
ip -f mpls route show | grep 16
ip link add d0 type dummy
ip link set d0 up
ip address add 10.1.0.1/24 dev d0
ip route add 10.2.0.0/24 encap mpls 17 via 10.1.0.2

### IPv6 segment routing
# a route that encapsulates
ip link add d0 type dummy
ip link set d0 up
ip -6 route add fc00:1::/64 encap seg6 mode encap segs fc00:2::1 dev d0
ip -6 route show | grep seg6

### netem
# a ping that takes 100 ms longer, and loss
two
tc -n l qdisc add dev v0 root netem delay 100ms
l ping -c 5 10.9.0.2 | grep -E 'time=1[0-9][0-9]'
tc -n l qdisc change dev v0 root netem loss 100%
fails l ping -c 1 -W 1 10.9.0.2

### cake, fq, fq_codel, codel, pie, fq_pie, sfq, red, hhf, choke, sfb, skbprio, gred, plug
# each carries a ping
two
red='limit 400000 avpkt 1000 bandwidth 10mbit'
for qdisc in cake fq fq_codel codel pie fq_pie sfq "red $red" hhf 'choke limit 1000 bandwidth 10mbit' sfb skbprio; do
	tc -n l qdisc replace dev v0 root $qdisc
	reach 10.9.0.2
	tc -n l -s qdisc show dev v0 | grep -E 'Sent [1-9]'
done
tc -n l qdisc replace dev v0 root gred setup DPs 2 default 0
tc -n l qdisc replace dev v0 root plug

### htb, hfsc, tbf, drr, qfq, ets, prio, multiq, teql
# each with its classes
two
try() { # qdisc with its options [class with its options]
	tc -n l qdisc add dev v0 root handle 1: $1
	if [ -n "$2" ]; then
		tc -n l class add dev v0 parent 1: classid 1:1 $2
		tc -n l filter add dev v0 parent 1: matchall classid 1:1
	fi
	reach 10.9.0.2
	tc -n l -s qdisc show dev v0 | grep -E 'Sent [1-9]'
	tc -n l qdisc del dev v0 root
}
try 'htb default 1' 'htb rate 10mbit'
try 'hfsc default 1' 'hfsc sc rate 10mbit'
try drr drr
try qfq qfq
try 'tbf rate 10mbit burst 16k latency 50ms'
try 'ets bands 4 strict 2'
try prio
try multiq
tc -n l qdisc add dev v0 root teql0

### taprio, etf, mqprio, cbs
# each on a device with several queues
two
tc -n l qdisc replace dev v0 parent root handle 100 taprio num_tc 2 map 0 1 queues 1@0 1@1 base-time 0 \
	sched-entry S 01 300000 sched-entry S 02 300000 clockid CLOCK_TAI
reach 10.9.0.2
tc -n l qdisc del dev v0 root
tc -n l qdisc add dev v0 root handle 1: mqprio num_tc 2 map 0 1 queues 1@0 1@1 hw 0
tc -n l qdisc replace dev v0 parent 1:1 etf clockid CLOCK_TAI delta 300000
tc -n l qdisc replace dev v0 parent 1:2 cbs idleslope 98688 sendslope -901312 hicredit 153 locredit -1389

### flower
# drops ICMP alone, and counts it
two
tc -n r qdisc add dev v0 clsact
tc -n r filter add dev v0 ingress protocol ip flower ip_proto icmp action drop
fails l ping -c 1 -W 1 10.9.0.2
tc -n r -s filter show dev v0 ingress | grep -E 'Sent [1-9]'

### matchall, u32, basic with ematch, fw, flow, route, cgroup
# each takes a rule
two
tc -n r qdisc add dev v0 root handle 1: htb
rule() { tc -n r filter add dev v0 parent 1: protocol ip prio "$@"; }
rule 1 matchall action ok
rule 2 u32 match ip protocol 1 0xff action ok
rule 3 basic match 'meta(pkt_len gt 100)' action ok
rule 4 handle 5 fw classid 1:1
rule 5 handle 1 flow hash keys src divisor 16 baseclass 1:1
rule 6 route from 10 classid 1:1
rule 7 handle 1 cgroup

### tc actions
# mirred, police, vlan, pedit, skbedit, skbmod, csum, nat, tunnel_key, sample, ct, connmark, ctinfo, mpls, gate, simple
two
tc -n r qdisc add dev v0 clsact
number=0
rule() {
	number=$((number + 1))
	tc -n r filter add dev v0 ingress prio $number protocol ip flower ip_proto tcp action "$@"
}
rule mirred egress redirect dev lo
rule police rate 1mbit burst 10k
rule vlan push id 5
rule pedit ex munge ip ttl set 9
rule skbedit priority 3
rule skbmod dmac 02:00:00:00:00:09
rule csum ip
rule nat ingress 10.9.0.2/32 10.9.0.9
rule tunnel_key set src_ip 1.1.1.1 dst_ip 2.2.2.2 id 4
rule sample rate 10 group 1
rule ct zone 1
rule connmark
rule ctinfo
rule mpls push label 17
rule simple sdata hello
rule gate clockid CLOCK_TAI sched-entry open 100000 sched-entry close 100000

### nftables
# NAT, connection tracking, counters, a flow table, and the hooks of a device
nft -f - <<'N'
table inet t {
	chain out { type nat hook postrouting priority 100; masquerade; }
	chain in {
		type filter hook input priority 0
		ct state established counter accept
		ip protocol icmp counter limit rate 5/second log
		fib saddr type local accept
		numgen inc mod 2 0 accept
		reject
	}
}
N
nft list ruleset | grep masquerade
two
l nft -f - <<'N'
table netdev n {
	chain i { type filter hook ingress device v0 priority 0; }
	chain e { type filter hook egress device v0 priority 0; ip daddr 10.9.0.2 counter; }
}
table inet f {
	flowtable ft { hook ingress priority 0; devices = { v0 }; }
	chain c { type filter hook output priority 0; ct state new counter; }
}
N
reach 10.9.0.2
l nft list table netdev n | grep -E 'packets [1-9]'
l conntrack -L | grep icmp

### iptables over nftables
# matches and targets of xtables
iptables -A INPUT -m conntrack --ctstate ESTABLISHED -m comment --comment hello -j ACCEPT
iptables -A INPUT -m limit --limit 5/s -j LOG
iptables -t nat -A POSTROUTING -j MASQUERADE
iptables-save | grep hello

### BTF
# the kernel's types and a module's
modprobe netdevsim
bpftool btf show | grep vmlinux
bpftool btf show | grep netdevsim
pahole -C iphdr /sys/kernel/btf/vmlinux | grep saddr

### XDP, native on veth
# a program counts a ping; page pool statistics in `ethtool -S`
load
two
r bpftool net attach xdpdrv pinned /sys/fs/bpf/all/pass dev v0
reach 10.9.0.2
test $(value 0) -gt 0
r ethtool -S v0 | grep rx_pp_

### AF_XDP
# a socket with its memory and rings, bound to a queue
two
r python3 /lab/af_xdp.py v0

### cls_bpf
# a tc program counts a ping
load
two
tc -n r qdisc add dev v0 clsact
r tc filter add dev v0 ingress bpf da object-pinned /sys/fs/bpf/all/classify
reach 10.9.0.2
test $(value 1) -gt 0

### tcx
# a program attached by `bpftool net attach tcx_ingress`
load
two
r bpftool net attach tcx_ingress pinned /sys/fs/bpf/all/tcx dev v0
reach 10.9.0.2
test $(value 2) -gt 0

### BPF on kprobes, fentry and tracepoints
# each counts a ping
two
object all
where=/sys/fs/bpf/traced
mkdir $where
bpftool prog loadall /run/all.o $where autoattach pinmaps $where/maps
reach 10.9.0.2
for key in 4 5 6; do
	test "$(value $key $where/maps)" -gt 0
done
rm -r $where

### BPF on control groups
# a program counts what a group sends
load
mkdir -p /sys/fs/cgroup/b
bpftool cgroup attach /sys/fs/cgroup/b egress pinned /sys/fs/bpf/all/cgroup
two
(echo $BASHPID > /sys/fs/cgroup/b/cgroup.procs; reach 10.9.0.2)
test $(value 7) -gt 0
rmdir /sys/fs/cgroup/b

### bcc
# a program in C compiled against the running kernel's headers (`/lib/modules/*/build`), and one of its tools
ip link set lo up
python3 /lab/connects.py
test ! -e /tmp/kheaders-$(uname -r)
test -x /usr/sbin/tcplife-bpfcc
tplist-bpfcc 'sock:inet_sock_set_state' | grep inet_sock_set_state

### kprobes
# an event on `ip_rcv`, by tracefs
cd /sys/kernel/tracing
echo 'p:try ip_rcv' > kprobe_events
echo 1 > events/kprobes/try/enable
two
reach 10.9.0.2
grep try: trace
echo 0 > events/kprobes/try/enable
echo > kprobe_events

### uprobes
# an event on a function of bash
cd /sys/kernel/tracing
echo 'p:try /usr/bin/bash:0x30000' > uprobe_events
grep try uprobe_events
echo > uprobe_events

### ftrace
# function and function_graph tracers, and `trace-cmd`
cd /sys/kernel/tracing
echo icmp_rcv > set_ftrace_filter
for t in function function_graph; do
	echo $t > current_tracer
	two
	reach 10.9.0.2
	clean
	grep icmp_rcv trace
done
echo nop > current_tracer
echo > set_ftrace_filter
trace-cmd list -t | grep function_graph

### drop monitor
# its netlink family
nsenter -t 1 -n genl ctrl list | grep NET_DM

### netdevsim and devlink
# a device with ports, resources, a health reporter, new firmware, and a reload into a namespace
sim 7 2
devlink dev show netdevsim/netdevsim7
devlink port show | grep -c netdevsim7 | grep 2
devlink resource show netdevsim/netdevsim7 | grep IPv4
devlink health show netdevsim/netdevsim7
mkdir -p /lib/firmware && head -c 4096 /dev/zero > /lib/firmware/sim.fw
devlink dev flash netdevsim/netdevsim7 file sim.fw
ip netns add l
devlink dev reload netdevsim/netdevsim7 netns l
l devlink dev show | grep netdevsim7
ls /sys/kernel/debug/netdevsim/netdevsim7
ip netns del l

### linked netdevsim devices
# a ping from one to the other (`link_device`)
sim 7
sim 8
mine=$(port 7)
its=$(port 8)
ip netns add r
my_index=$(index $mine)
exec 5< /proc/self/ns/net 6< /run/netns/r
ip link set $its netns r
its_index=$(ip -n r -j link show $its | jq .[0].ifindex)
echo "5:$my_index 6:$its_index" > /sys/bus/netdevsim/link_device
ip link set $mine up
ip -n r link set $its up
ip address add 10.9.0.1/24 dev $mine
ip -n r address add 10.9.0.2/24 dev $its
ping -c 1 -W 5 10.9.0.2

### XDP offload
# a program in netdevsim's hardware
sim 7
d=$(port 7)
object offload
ip link set dev $d up
ip link set dev $d xdpoffload obj /run/offload.o sec xdp
ip link show $d | grep xdpoffload

### a PTP hardware clock
# netdevsim's own, set and read by `phc_ctl`; `ethtool -T` names it
sim 7
d=$(port 7)
ip link set $d up
ethtool -T $d | grep -E 'PTP Hardware Clock: [0-9]|Hardware timestamp provider index: [0-9]'
n=$(ls -d /sys/class/ptp/ptp* | wc -l)
test $n -gt 0
phc_ctl $d set 1000 get

### DSA
# the core and the taggers dsa, edsa, trailer, ocelot, brcm, ksz, mtk, qca
for t in dsa ocelot brcm ksz mtk qca trailer none; do
	modprobe tag_$t
done
modprobe dsa_core
lsmod | grep dsa_core

### netlab's DSA switch
# `dsa_netlab` on linked netdevsim devices: a host behind a port reaches the port's interface; a flower rule that is `in_hw` drops
modprobe dsa_netlab
sim 7
sim 8
conduit=$(port 7)
wire=$(port 8)
exec 5< /proc/self/ns/net
echo "5:$(index $conduit) 5:$(index $wire)" > /sys/bus/netdevsim/link_device
echo "7 $conduit $wire 4 dsa" > /sys/bus/dsa_netlab/new_switch
ip netns add l
ip link set sw7p1 netns l
ip -n l address add 10.9.0.1/24 dev sw7p1
ip -n l link set sw7p1 up
ip address add 10.9.0.2/24 dev lan1
ip link set lan1 up
ip -d link show lan1 | grep "dsa conduit $conduit"
reach 10.9.0.2
tc qdisc add dev lan1 clsact
tc filter add dev lan1 ingress protocol ip flower skip_sw ip_proto icmp action drop
tc filter show dev lan1 ingress | grep in_hw
fails l ping -q -c 1 -W 1 10.9.0.2
echo 7 > /sys/bus/dsa_netlab/del_switch

### TCP congestion control
# bbr, dctcp, vegas, cubic and reno
for c in bbr dctcp vegas cubic reno; do
	nsenter -t 1 -n sysctl -w net.ipv4.tcp_congestion_control=$c
done

### MPTCP
# a connection, seen by `ss -M`
ip link set lo up
python3 /lab/mptcp.py

### TLS in the kernel
# a socket with it
ip link set lo up
python3 /lab/ktls.py

### packet generator
# a thousand packets by `pktgen`
modprobe pktgen
two
l bash -ec '
	cd /proc/net/pktgen
	echo add_device v0 > kpktgend_0
	echo count 1000 > v0
	echo dst_mac 02:00:00:00:00:02 > v0
	echo start > pgctrl
	grep "Result: OK" v0
'
rmmod pktgen

### captures
# `tcpdump` on a veth
two
l ping -q -i 0.5 -w 60 10.9.0.2 & r timeout 60 tcpdump -c 1 -ni v0 icmp
