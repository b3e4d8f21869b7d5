// SPDX-License-Identifier: GPL-2.0
/*
 * The bus: how switches are made, /sys/bus/dsa_netlab/{new_switch,del_switch}
 *
 * A switch is a device on a bus of its own, with a driver bound to it, because
 * the kernel's device links work between such: when the conduit's device goes,
 * the driver of the switch is unbound first.
 */
#include <linux/completion.h>
#include <linux/if_arp.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/nsproxy.h>
#include <linux/refcount.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include "dsa_netlab.h"

#define DSN_ID_MAX	9999
#define DSN_PREFIX_LEN	12

static LIST_HEAD(dsn_switches);
static DEFINE_MUTEX(dsn_mutex);		/* of the list, and of making switches */
static bool dsn_closing;
static refcount_t dsn_unreleased;	/* switches, and the module itself */
static DECLARE_COMPLETION(dsn_all_released);
static struct workqueue_struct *dsn_workqueue;
static const struct bus_type dsn_bus;

/* What a line written to new_switch says. */
struct dsn_request {
	unsigned int id;
	unsigned int ports;
	char conduit[IFNAMSIZ + 12];
	char wire[IFNAMSIZ + 12];
	char tagger[16];
	char prefix[DSN_PREFIX_LEN];
};

static struct dsn_switch *dsn_find(unsigned int id)
{
	struct dsn_switch *sw;

	list_for_each_entry(sw, &dsn_switches, list)
		if (sw->id == id)
			return sw;
	return NULL;
}

static void dsn_put_netdevs(struct dsn_switch *sw)
{
	netdev_put(sw->conduit, &sw->conduit_tracker);
	netdev_put(sw->wire, &sw->wire_tracker);
	sw->conduit = NULL;
	sw->wire = NULL;
}

/* --- device and driver --------------------------------------------------- */

static void dsn_put_unreleased(void)
{
	if (refcount_dec_and_test(&dsn_unreleased))
		complete(&dsn_all_released);
}

/* A switch that has been deleted may be released later, by somebody else: the
 * kernel's work that ends the device link to the conduit holds it until then.
 * The module's text must still be there, see dsn_exit().
 */
static void dsn_release(struct device *dev)
{
	struct dsn_switch *sw = container_of(dev, struct dsn_switch, dev);

	put_net_track(sw->home, &sw->home_tracker);
	kfree(sw->prefix);
	kfree(sw);
	dsn_put_unreleased();
}

static int dsn_probe(struct device *dev)
{
	struct dsn_switch *sw = container_of(dev, struct dsn_switch, dev);

	sw->probe_err = dsn_switch_probe(sw);
	/* DSA hopes that a missing tagger will turn up. Nobody waits here. */
	if (sw->probe_err == -EPROBE_DEFER)
		sw->probe_err = -ENOPROTOOPT;
	return sw->probe_err;
}

static void dsn_remove(struct device *dev)
{
	struct dsn_switch *sw = container_of(dev, struct dsn_switch, dev);

	dsn_switch_remove(sw);
	rtnl_lock();
	dsn_put_netdevs(sw);
	rtnl_unlock();
}

static void dsn_shutdown(struct device *dev)
{
	struct dsn_switch *sw = container_of(dev, struct dsn_switch, dev);

	if (dev->driver)
		dsa_switch_shutdown(&sw->ds);
}

static struct device_driver dsn_driver = {
	.name			= "dsa_netlab",
	.bus			= &dsn_bus,
	.owner			= THIS_MODULE,
	.suppress_bind_attrs	= true,
};

/* --- making -------------------------------------------------------------- */

/* IFNAME, or FD:IFNAME for a namespace that the writer has open. */
static struct net_device *dsn_get_netdev(const char *what,
					 netdevice_tracker *tracker)
{
	const char *colon = strchr(what, ':');
	struct net_device *dev;
	struct net *net;
	char number[12];
	int fd, err;

	if (!colon)
		return netdev_get_by_name(current->nsproxy->net_ns, what,
					  tracker, GFP_KERNEL) ?:
		       ERR_PTR(-ENODEV);

	if (colon - what >= sizeof(number))
		return ERR_PTR(-EINVAL);
	strscpy(number, what, colon - what + 1);
	err = kstrtoint(number, 10, &fd);
	if (err)
		return ERR_PTR(err);
	net = get_net_ns_by_fd(fd);
	if (IS_ERR(net))
		return ERR_CAST(net);
	dev = netdev_get_by_name(net, colon + 1, tracker, GFP_KERNEL);
	put_net(net);
	return dev ?: ERR_PTR(-ENODEV);
}

static int dsn_parse(const char *buf, struct dsn_request *request)
{
	int n;

	memset(request, 0, sizeof(*request));
	strscpy(request->tagger, "dsa");
	strscpy(request->prefix, "lan");
	n = sscanf(buf, "%u %27s %27s %u %15s %11s", &request->id,
		   request->conduit, request->wire, &request->ports,
		   request->tagger, request->prefix);
	if (n < 4) {
		pr_err("Format is \"ID CONDUIT WIRE PORTS [TAGGER [PREFIX]]\"\n");
		return -EINVAL;
	}
	if (!request->id || request->id > DSN_ID_MAX)
		return -EINVAL;
	if (!request->ports || request->ports >= DSN_MAX_PORTS)
		return -EINVAL;
	if (!dev_valid_name(request->prefix))
		return -EINVAL;
	return 0;
}

static struct dsn_switch *dsn_alloc(const struct dsn_request *request,
				    const struct dsn_tagger *tagger)
{
	struct dsn_switch *sw = kzalloc(sizeof(*sw), GFP_KERNEL);

	if (!sw)
		return NULL;
	sw->prefix = kstrdup(request->prefix, GFP_KERNEL);
	if (!sw->prefix) {
		kfree(sw);
		return NULL;
	}
	sw->id = request->id;
	sw->home = get_net_track(current->nsproxy->net_ns, &sw->home_tracker,
				 GFP_KERNEL);
	dsn_chip_init(&sw->chip, request->ports + 1, tagger);
	refcount_inc(&dsn_unreleased);
	device_initialize(&sw->dev);
	sw->dev.bus = &dsn_bus;
	sw->dev.release = dsn_release;
	return sw;
}

static int dsn_take_netdevs(struct dsn_switch *sw,
			    const struct dsn_request *request)
{
	struct net_device *dev;

	dev = dsn_get_netdev(request->conduit, &sw->conduit_tracker);
	if (IS_ERR(dev))
		return PTR_ERR(dev);
	sw->conduit = dev;
	dev = dsn_get_netdev(request->wire, &sw->wire_tracker);
	if (IS_ERR(dev)) {
		netdev_put(sw->conduit, &sw->conduit_tracker);
		return PTR_ERR(dev);
	}
	sw->wire = dev;
	return 0;
}

/* What DSA would find out late, or not tell. */
static int dsn_check(struct dsn_switch *sw)
{
	struct net *net = dev_net(sw->conduit);
	char name[IFNAMSIZ];
	unsigned int i;
	int err = 0;

	rtnl_lock();
	if (sw->conduit == sw->wire || !sw->conduit->dev.parent ||
	    sw->conduit->type != ARPHRD_ETHER || sw->wire->type != ARPHRD_ETHER)
		err = -EINVAL;
	else if (sw->conduit->dsa_ptr || sw->wire->dsa_ptr ||
		 netdev_is_rx_handler_busy(sw->conduit) ||
		 netdev_is_rx_handler_busy(sw->wire))
		err = -EBUSY;
	for (i = 1; i < sw->chip.num_ports && !err; i++) {
		snprintf(name, sizeof(name), "%s%u", sw->prefix, i);
		if (__dev_get_by_name(net, name) ||
		    __dev_get_by_name(&init_net, name))
			err = -EEXIST;
	}
	rtnl_unlock();
	return err;
}

static void dsn_del(struct dsn_switch *sw)
{
	lockdep_assert_held(&dsn_mutex);
	list_del(&sw->list);
	device_unregister(&sw->dev);
}

/* The conduit or the wire is on its way out, and waits for us to let go. */
static void dsn_vanish(struct work_struct *work)
{
	struct dsn_switch *gone = container_of(work, struct dsn_switch, vanish);
	struct dsn_switch *sw, *next;

	mutex_lock(&dsn_mutex);
	list_for_each_entry_safe(sw, next, &dsn_switches, list)
		if (sw == gone)
			dsn_del(sw);
	mutex_unlock(&dsn_mutex);
	put_device(&gone->dev);
}

static int dsn_create(const struct dsn_request *request)
{
	const struct dsn_tagger *tagger = dsn_tagger_by_name(request->tagger);
	struct dsn_switch *sw;
	int err;

	if (!tagger || request->ports > tagger->max_port)
		return -EOPNOTSUPP;
	if (dsn_find(request->id))
		return -EEXIST;
	sw = dsn_alloc(request, tagger);
	if (!sw)
		return -ENOMEM;
	INIT_WORK(&sw->vanish, dsn_vanish);
	err = dsn_take_netdevs(sw, request);
	if (err)
		goto put;
	err = dsn_check(sw) ?: dev_set_name(&sw->dev, "dsa_netlab.%u", sw->id);
	if (err)
		goto put_netdevs;
	err = device_add(&sw->dev);
	if (err)
		goto put_netdevs;
	if (!sw->dev.driver) {
		err = sw->probe_err ?: -ENODEV;
		device_del(&sw->dev);
		goto put_netdevs;
	}
	list_add_tail(&sw->list, &dsn_switches);
	return 0;

put_netdevs:
	dsn_put_netdevs(sw);
put:
	put_device(&sw->dev);
	return err;
}

static ssize_t new_switch_store(const struct bus_type *bus, const char *buf,
				size_t count)
{
	struct dsn_request request;
	int err;

	err = dsn_parse(buf, &request);
	if (err)
		return err;
	mutex_lock(&dsn_mutex);
	err = dsn_closing ? -ENODEV : dsn_create(&request);
	mutex_unlock(&dsn_mutex);
	return err ?: count;
}
static BUS_ATTR_WO(new_switch);

static ssize_t del_switch_store(const struct bus_type *bus, const char *buf,
				size_t count)
{
	struct dsn_switch *sw;
	unsigned int id;
	int err;

	err = kstrtouint(buf, 10, &id);
	if (err)
		return err;
	mutex_lock(&dsn_mutex);
	sw = dsn_find(id);
	if (sw)
		dsn_del(sw);
	mutex_unlock(&dsn_mutex);
	return sw ? count : -ENOENT;
}
static BUS_ATTR_WO(del_switch);

static struct attribute *dsn_bus_attrs[] = {
	&bus_attr_new_switch.attr,
	&bus_attr_del_switch.attr,
	NULL
};
ATTRIBUTE_GROUPS(dsn_bus);

static const struct bus_type dsn_bus = {
	.name		= "dsa_netlab",
	.bus_groups	= dsn_bus_groups,
	.probe		= dsn_probe,
	.remove		= dsn_remove,
	.shutdown	= dsn_shutdown,
};

/* --- when what it stands on goes ------------------------------------------ */

/* Under RTNL: the switch cannot be taken apart here, only be told to. */
static int dsn_netdev_event(struct notifier_block *nb, unsigned long event,
			    void *ptr)
{
	struct net_device *dev = netdev_notifier_info_to_dev(ptr);
	struct dsn_switch *sw;

	/* A move to another namespace is announced in the same way. */
	if (event != NETDEV_UNREGISTER ||
	    dev->reg_state != NETREG_UNREGISTERING)
		return NOTIFY_DONE;
	sw = dsn_wire_owner(dev);
	if (!sw) {
		sw = dsn_conduit_owner(dev);
		if (!sw)
			return NOTIFY_DONE;
		dsn_conduit_gone(sw);
	}
	dsn_wire_detach(sw);
	get_device(&sw->dev);
	if (!queue_work(dsn_workqueue, &sw->vanish))
		put_device(&sw->dev);
	return NOTIFY_DONE;
}

static struct notifier_block dsn_netdev_notifier = {
	.notifier_call = dsn_netdev_event,
};

static bool dsn_stands_in(struct dsn_switch *sw, const struct net *net)
{
	bool it_does;

	rtnl_lock();
	it_does = (sw->conduit && net_eq(dev_net(sw->conduit), net)) ||
		  (sw->wire && net_eq(dev_net(sw->wire), net));
	rtnl_unlock();
	return it_does;
}

/* A namespace goes, and netdevsim ports with it: the switch goes before. */
static void __net_exit dsn_net_pre_exit(struct net *net)
{
	struct dsn_switch *sw, *next;

	mutex_lock(&dsn_mutex);
	list_for_each_entry_safe(sw, next, &dsn_switches, list)
		if (dsn_stands_in(sw, net))
			dsn_del(sw);
	mutex_unlock(&dsn_mutex);
}

static struct pernet_operations dsn_net_ops = {
	.pre_exit = dsn_net_pre_exit,
};

/* --- module -------------------------------------------------------------- */

static int __init dsn_init(void)
{
	int err;

	refcount_set(&dsn_unreleased, 1);
	dsn_flower_init();
	dsn_workqueue = alloc_workqueue("dsa_netlab", 0, 0);
	if (!dsn_workqueue)
		return -ENOMEM;
	dsn_debugfs_init();
	err = register_pernet_subsys(&dsn_net_ops);
	if (err)
		goto debugfs;
	err = register_netdevice_notifier(&dsn_netdev_notifier);
	if (err)
		goto pernet;
	err = bus_register(&dsn_bus);
	if (err)
		goto notifier;
	err = driver_register(&dsn_driver);
	if (err)
		goto bus;
	return 0;

bus:
	bus_unregister(&dsn_bus);
notifier:
	unregister_netdevice_notifier(&dsn_netdev_notifier);
pernet:
	unregister_pernet_subsys(&dsn_net_ops);
debugfs:
	dsn_debugfs_exit();
	destroy_workqueue(dsn_workqueue);
	return err;
}

static void __exit dsn_exit(void)
{
	struct dsn_switch *sw, *next;

	mutex_lock(&dsn_mutex);
	dsn_closing = true;
	list_for_each_entry_safe(sw, next, &dsn_switches, list)
		dsn_del(sw);
	mutex_unlock(&dsn_mutex);
	dsn_put_unreleased();
	wait_for_completion(&dsn_all_released);
	driver_unregister(&dsn_driver);
	bus_unregister(&dsn_bus);
	unregister_netdevice_notifier(&dsn_netdev_notifier);
	unregister_pernet_subsys(&dsn_net_ops);
	destroy_workqueue(dsn_workqueue);
	dsn_debugfs_exit();
}

module_init(dsn_init);
module_exit(dsn_exit);
MODULE_DESCRIPTION("A DSA switch in software");
MODULE_LICENSE("GPL");
/* DSA loads a tagger's module when it is asked for; this one always is. */
MODULE_SOFTDEP("pre: tag_dsa");
