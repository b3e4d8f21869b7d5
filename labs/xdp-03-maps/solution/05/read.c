// SPDX-License-Identifier: GPL-2.0
/* Prints who talked: make read, then /tmp/read in the server's terminal. */
#include <arpa/inet.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "talk.h"

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/sys/fs/bpf/talk/maps/talkers";
	int i, cpus = libbpf_num_possible_cpus();
	char name[INET_ADDRSTRLEN];
	__be32 key, *before = NULL;
	struct talk *copies;
	int map;

	map = bpf_obj_get(path);
	if (map < 0) {
		perror(path);
		return 1;
	}

	copies = calloc(cpus, sizeof(*copies));
	if (!copies)
		return 1;
	while (!bpf_map_get_next_key(map, before, &key)) {
		struct talk sum = {};

		before = &key;
		inet_ntop(AF_INET, &key, name, sizeof(name));
		if (bpf_map_lookup_elem(map, &key, copies))
			continue;
		for (i = 0; i < cpus; i++) {
			sum.packets += copies[i].packets;
			sum.bytes += copies[i].bytes;
		}
		printf("%-15s %llu packets %llu bytes\n", name, sum.packets, sum.bytes);
	}
	return 0;
}
