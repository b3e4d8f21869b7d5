// SPDX-License-Identifier: GPL-2.0
/*
 * The first and only process of the tests' tiny guest: it answers lines on the machine's port.
 *
 * Boots in a fraction of what the real guest needs, so what machines and templates do can be tried often.
 * One line in, one line out; see answer().
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define PEER_POLL_US 100000

static char word[64] = "nothing";

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static void read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "r");

	line[0] = '\0';
	if (!file)
		return;
	if (!fgets(line, size, file))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

/* udev makes /dev/virtio-ports elsewhere; here the port is looked for by its name. */
static int open_port(void)
{
	struct dirent *entry;
	char path[512], name[64];
	DIR *ports = opendir("/sys/class/virtio-ports");

	if (!ports)
		return -1;
	while ((entry = readdir(ports))) {
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		read_line(path, name, sizeof(name));
		if (strcmp(name, "netlab"))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
		closedir(ports);
		return open(path, O_RDWR);
	}
	closedir(ports);
	return -1;
}

static void random_bytes(char *out, size_t size)
{
	unsigned char bytes[16];
	size_t i;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		memset(bytes, 0, sizeof(bytes));
	for (i = 0; i < sizeof(bytes) && 2 * i + 2 < size; i++)
		sprintf(out + 2 * i, "%02x", bytes[i]);
}

static void flood_console(long kib)
{
	char line[1024];
	int fd = open("/dev/console", O_WRONLY);

	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	for (; fd >= 0 && kib > 0; kib--)
		if (write(fd, line, sizeof(line)) < 0)
			break;
	close(fd);
}

/* Takes memory and writes into each page; never gives it back. */
static long eat(long mib)
{
	long eaten, i;
	volatile unsigned int *block;

	for (eaten = 0; eaten < mib; eaten++) {
		block = malloc(1 << 20);
		if (!block)
			break;
		for (i = 0; i < (1 << 18); i += 256)
			block[i] = (unsigned int)i * 2654435761u + (unsigned int)eaten;
	}
	return eaten;
}

static void answer(const char *line, char *out, size_t size)
{
	struct timespec now;

	if (!strcmp(line, "ping")) {
		snprintf(out, size, "pong");
	} else if (!strcmp(line, "random")) {
		random_bytes(out, size);
	} else if (!strcmp(line, "cmdline")) {
		read_line("/proc/cmdline", out, size);
	} else if (!strcmp(line, "version")) {
		read_line("/proc/sys/kernel/osrelease", out, size);
	} else if (!strcmp(line, "cpus")) {
		snprintf(out, size, "%ld", sysconf(_SC_NPROCESSORS_ONLN));
	} else if (!strcmp(line, "uptime")) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		snprintf(out, size, "%ld.%03ld", (long)now.tv_sec, now.tv_nsec / 1000000);
	} else if (!strcmp(line, "wall")) {
		clock_gettime(CLOCK_REALTIME, &now);
		snprintf(out, size, "%ld.%03ld", (long)now.tv_sec, now.tv_nsec / 1000000);
	} else if (!strncmp(line, "remember ", 9)) {
		snprintf(word, sizeof(word), "%.60s", line + 9);
		snprintf(out, size, "ok");
	} else if (!strcmp(line, "recall")) {
		snprintf(out, size, "%s", word);
	} else if (!strncmp(line, "flood ", 6)) {
		flood_console(atol(line + 6));
		snprintf(out, size, "flooded");
	} else if (!strncmp(line, "eat ", 4)) {
		snprintf(out, size, "%ld", eat(atol(line + 4)));
	} else if (!strcmp(line, "panic")) {
		write_file("/proc/sysrq-trigger", "c");
	} else if (!strcmp(line, "reboot")) {
		reboot(RB_AUTOBOOT);
	} else if (!strcmp(line, "poweroff")) {
		reboot(RB_POWER_OFF);
	} else if (!strcmp(line, "leave")) {
		exit(0);
	} else {
		snprintf(out, size, "what?");
	}
}

int main(void)
{
	char line[LINE_MAX_BYTES], out[LINE_MAX_BYTES];
	size_t used = 0;
	ssize_t got;
	char *end;
	int port;

	mount("proc", "/proc", "proc", 0, "");
	mount("sysfs", "/sys", "sysfs", 0, "");
	write_file("/proc/sys/kernel/sysrq", "1");
	/* as the real guest's agent does: no endless reading of its own text when memory is full */
	write_file("/sys/kernel/mm/lru_gen/min_ttl_ms", "1000");
	port = open_port();
	if (port < 0)
		return 1;
	for (;;) {
		got = read(port, line + used, sizeof(line) - 1 - used);
		if (got <= 0) {
			usleep(PEER_POLL_US);	/* nobody is there: it neither blocks nor waits */
			continue;
		}
		used += got;
		line[used] = '\0';
		while ((end = strchr(line, '\n'))) {
			*end = '\0';
			out[0] = '\0';
			answer(line, out, sizeof(out) - 1);
			strcat(out, "\n");
			if (write(port, out, strlen(out)) < 0)
				usleep(10000);
			used -= end + 1 - line;
			memmove(line, end + 1, used + 1);
		}
		if (used == sizeof(line) - 1)
			used = 0;
	}
}
