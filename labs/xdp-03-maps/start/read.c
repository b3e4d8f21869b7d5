// SPDX-License-Identifier: GPL-2.0
/* Prints who talked: make read, then /tmp/read in the server's terminal. */
#include <arpa/inet.h>
#include <linux/types.h>
#include <stdio.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "talk.h"

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/sys/fs/bpf/talk/maps/talkers";
	char name[INET_ADDRSTRLEN];
	__be32 key, *before = NULL;
	int map;

	map = bpf_obj_get(path);
	if (map < 0) {
		perror(path);
		return 1;
	}
	while (!bpf_map_get_next_key(map, before, &key)) {
		before = &key;
		inet_ntop(AF_INET, &key, name, sizeof(name));
		printf("%-15s\n", name);
	}
	return 0;
}
