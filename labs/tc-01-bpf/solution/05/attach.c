// SPDX-License-Identifier: GPL-2.0
/* Attaches a pinned program to eth0 by tcx, last of all, or before another:
 *	attach PROGRAM LINK [BEFORE]
 * LINK is where the attachment is pinned. As long as it is there, so is the program. */
#include <net/if.h>
#include <stdio.h>

#include <bpf/bpf.h>

static int open_pin(const char *path)
{
	int fd = bpf_obj_get(path);

	if (fd < 0)
		perror(path);
	return fd;
}

int main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	int program, link;

	if (argc < 3) {
		fprintf(stderr, "usage: attach PROGRAM LINK [BEFORE]\n");
		return 1;
	}
	program = open_pin(argv[1]);
	if (program < 0)
		return 1;
	if (argc > 3) {
		opts.flags = BPF_F_BEFORE;
		opts.tcx.relative_fd = open_pin(argv[3]);
	}

	link = bpf_link_create(program, if_nametoindex("eth0"), BPF_TCX_INGRESS, &opts);
	if (link < 0) {
		perror("attach");
		return 1;
	}
	if (bpf_obj_pin(link, argv[2])) {
		perror(argv[2]);
		return 1;
	}
	return 0;
}
