// The least that a sweep of interface counters can cost: the system calls alone. Started by bench/counters.py with the
// descriptors of all namespaces' /proc/net/dev as arguments after the number of rounds; prints the processor time of each
// round in ns. It parses nothing and keeps nothing.

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define READ_BYTES 65536
#define DEVICES_PER_READ 30 /* one read of a seq_file gives at most a page */

static long long cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void sweep(int count, const int *descriptors)
{
	static char data[READ_BYTES];

	for (int i = 0; i < count; i++) {
		off_t at = 0;

		for (;;) {
			ssize_t got = pread(descriptors[i], data, READ_BYTES, at);
			int lines = 0;

			if (got <= 0)
				break;
			for (ssize_t k = 0; k < got; k++)
				lines += data[k] == '\n';
			if (lines < DEVICES_PER_READ)
				break;
			at += got;
		}
	}
}

int main(int argc, char **argv)
{
	int count = argc - 2, *descriptors = malloc((size_t)(count + 1) * sizeof(int));

	if (argc < 3 || !descriptors)
		return 2;
	for (int i = 0; i < count; i++)
		descriptors[i] = atoi(argv[i + 2]);
	for (int round = 0; round < atoi(argv[1]); round++) {
		long long begin = cpu_ns();

		sweep(count, descriptors);
		printf("%lld\n", cpu_ns() - begin);
	}
	return 0;
}
