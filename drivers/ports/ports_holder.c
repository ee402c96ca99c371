/* SPDX-License-Identifier: MIT */
/*
 * Who holds a port, as far as the kernel tells this user without the port being opened: locks by
 * flock or fcntl in /proc/locks (any user's), and open descriptors in /proc (one's own processes',
 * everybody's for root).  TIOCEXCL alone shows only when opening fails.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "ports.h"

struct node {
	const char *path;         /* "/dev/ttyUSB0" */
	char resolved[PATH_MAX];  /* where that leads, the same for a real node; "" does not exist */
	struct stat facts;
	struct port_holder *holder;
};

static void name_program(const struct ports_roots *roots, struct port_holder *holder)
{
	char path[PATH_MAX];
	char raw[64];
	snprintf(path, sizeof path, "%s/%d/comm", roots->proc, holder->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, raw, sizeof raw - 1) : -1;
	if (fd >= 0) {
		close(fd);
	}
	if (n > 0) {
		raw[n] = '\0';
		raw[strcspn(raw, "\n")] = '\0';
		text_copy_clean(holder->program, sizeof holder->program, raw);
	}
}

/* "1: FLOCK  ADVISORY  WRITE 1234 00:05:678 0 EOF": process, then device and inode of the file.  One that
 * only waits has a "->" as its second word, and so no process where one is looked for. */
static void look_at_lock(char *line, struct node *nodes, size_t count)
{
	char *save = NULL;
	char *word[6];
	int n = 0;
	for (char *at = strtok_r(line, " ", &save); at != NULL && n < 6; at = strtok_r(NULL, " ", &save)) {
		word[n++] = at;
	}
	uint32_t pid = 0;
	if (n < 6 || !text_parse_u32(span_of(word[4]), &pid) || pid == 0 || pid == (uint32_t)getpid()) {
		return;
	}
	char *end;
	unsigned long major = strtoul(word[5], &end, 16);
	unsigned long minor = *end == ':' ? strtoul(end + 1, &end, 16) : 0;
	unsigned long inode = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
	for (size_t i = 0; *end == '\0' && i < count; i++) {
		const struct stat *facts = &nodes[i].facts;
		if (nodes[i].resolved[0] != '\0' && nodes[i].holder->pid == 0 &&
			major(facts->st_dev) == major && minor(facts->st_dev) == minor &&
			facts->st_ino == inode) {
			nodes[i].holder->pid = (int)pid;
		}
	}
}

static void look_at_locks(const struct ports_roots *roots, struct node *nodes, size_t count)
{
	char path[PATH_MAX];
	char line[256];
	snprintf(path, sizeof path, "%s/locks", roots->proc);
	FILE *file = fopen(path, "re");
	while (file != NULL && fgets(line, sizeof line, file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		look_at_lock(line, nodes, count);
	}
	if (file != NULL) {
		fclose(file);
	}
}

/* One device may have several nodes, in a container for instance. */
static bool same_device(const struct stat *a, const struct stat *b)
{
	return S_ISCHR(b->st_mode) && a->st_rdev == b->st_rdev;
}

static void look_at_descriptors(const struct ports_roots *roots, int pid, struct node *nodes,
	size_t count)
{
	char dir[PATH_MAX];
	snprintf(dir, sizeof dir, "%s/%d/fd", roots->proc, pid);
	DIR *at = opendir(dir);
	struct dirent *entry;
	while (at != NULL && (entry = readdir(at)) != NULL) {
		char target[PATH_MAX];
		ssize_t n = readlinkat(dirfd(at), entry->d_name, target, sizeof target - 1);
		if (n <= 0) {
			continue;
		}
		target[n] = '\0';
		/* In a container the same device may have another name, so terminals are compared by device
		 * number.  Files elsewhere are not looked at, since one on a network share that is gone would block
		 * us. */
		struct stat facts = {.st_mode = 0};
		bool device = (strncmp(target, "/dev/", 5) == 0 || strstr(target, "tty") != NULL) &&
			fstatat(dirfd(at), entry->d_name, &facts, 0) == 0 && S_ISCHR(facts.st_mode);
		for (size_t i = 0; i < count; i++) {
			if (nodes[i].holder->pid == 0 && (strcmp(target, nodes[i].path) == 0 ||
				strcmp(target, nodes[i].resolved) == 0 ||
				(device && same_device(&facts, &nodes[i].facts)))) {
				nodes[i].holder->pid = pid;
			}
		}
	}
	if (at != NULL) {
		closedir(at);
	}
}

static void find(const struct ports_roots *roots, struct node *nodes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		*nodes[i].holder = (struct port_holder){.pid = 0};
		nodes[i].resolved[0] = '\0';
		if (stat(nodes[i].path, &nodes[i].facts) == 0 &&
			realpath(nodes[i].path, nodes[i].resolved) == NULL) {
			snprintf(nodes[i].resolved, sizeof nodes[i].resolved, "%s", nodes[i].path);
		}
	}
	look_at_locks(roots, nodes, count);
	DIR *at = opendir(roots->proc);
	struct dirent *entry;
	while (at != NULL && (entry = readdir(at)) != NULL) {
		uint32_t pid = 0;
		if (text_parse_u32(span_of(entry->d_name), &pid) && pid != (uint32_t)getpid()) {
			look_at_descriptors(roots, (int)pid, nodes, count);
		}
	}
	if (at != NULL) {
		closedir(at);
	}
	for (size_t i = 0; i < count; i++) {
		if (nodes[i].holder->pid != 0) {
			name_program(roots, nodes[i].holder);
		}
	}
}

void ports_find_holders(const struct ports_roots *roots, struct ports *list)
{
	struct node *nodes = calloc(list->count > 0 ? list->count : 1, sizeof *nodes);
	if (nodes == NULL) {
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		nodes[i].path = list->port[i].node;
		nodes[i].holder = &list->port[i].holder;
	}
	if (list->count > 0) {
		find(roots, nodes, list->count);
	}
	free(nodes);
}

/* What to do about programs that take ports by themselves. */
const char *ports_holder_advice(const char *program)
{
	static const struct {
		const char *program, *advice;
	} thieves[] = {
		{"ModemManager", "; the rules in packaging/udev keep it away"},
		{"gpsd", "; the rules in packaging/udev keep it away, or stop it"},
		{"brltty", "; the rules in packaging/udev keep it away, or remove it"},
		{"focusd", "; stop that one first"},
	};
	for (size_t i = 0; i < sizeof thieves / sizeof thieves[0]; i++) {
		if (strcmp(thieves[i].program, program) == 0) {
			return thieves[i].advice;
		}
	}
	return "";
}

enum err_code ports_say_busy(const struct ports_roots *roots, const char *path, struct err *err)
{
	struct port_holder holder;
	struct node *node = calloc(1, sizeof *node);
	if (node != NULL) {
		node->path = path;
		node->holder = &holder;
		find(roots, node, 1);
		if (holder.pid == 0 && node->resolved[0] != '\0') {
			look_at_descriptors(roots, (int)getpid(), node, 1);
		}
		free(node);
	}
	if (node != NULL && holder.pid == (int)getpid()) {
		return err_set(err, ERR_IO, "%s is in use by this program itself, for another device", path);
	}
	if (node == NULL || holder.pid == 0) {
		return err_set(err, ERR_IO,
			"%s is in use by another program, which this user may not see", path);
	}
	return err_set(err, ERR_IO, "%s is in use by another program: %s (pid %d)%s", path,
		holder.program[0] != '\0' ? holder.program : "its name is hidden", holder.pid,
		ports_holder_advice(holder.program));
}
