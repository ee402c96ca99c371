/* SPDX-License-Identifier: MIT */
/* Who has a device open, from /proc.  Processes of other users are seen by root only. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "text.h"
#include "transport.h"

/* Whether a process has the device open. */
static bool has_open(int proc, const char *pid, dev_t device)
{
	char path[64];
	snprintf(path, sizeof path, "%s/fd", pid);
	int folder = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) {
		return false;
	}
	DIR *dir = fdopendir(folder);
	if (dir == NULL) {
		close(folder);
		return false;
	}
	bool found = false;
	const struct dirent *entry;
	while (!found && (entry = readdir(dir)) != NULL) {
		struct stat st;
		found = isdigit((unsigned char)entry->d_name[0]) &&
			fstatat(folder, entry->d_name, &st, 0) == 0 && S_ISCHR(st.st_mode) &&
			st.st_rdev == device;
	}
	closedir(dir);
	return found;
}

static void add_name(int proc, const char *pid, char *out, size_t cap)
{
	char path[64];
	char comm[64] = "";
	snprintf(path, sizeof path, "%s/comm", pid);
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		ssize_t n = read(fd, comm, sizeof comm - 1);
		comm[n > 0 ? n : 0] = '\0';
		comm[strcspn(comm, "\n")] = '\0';
		close(fd);
	}
	char clean[64];
	text_copy_clean(clean, sizeof clean, comm[0] != '\0' ? comm : "a program");
	size_t used = strlen(out);
	int n = snprintf(out + used, cap - used, "%s%s (pid %s)", used > 0 ? ", " : "", clean, pid);
	if (n < 0 || (size_t)n >= cap - used) {
		out[used] = '\0';
	}
}

bool transport_holders(const char *path, char *out, size_t cap)
{
	out[0] = '\0';
	struct stat st;
	if (stat(path, &st) != 0 || !S_ISCHR(st.st_mode)) {
		return false;
	}
	int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = proc >= 0 ? fdopendir(proc) : NULL;
	if (dir == NULL) {
		if (proc >= 0) {
			close(proc);
		}
		return false;
	}
	char self[16];
	snprintf(self, sizeof self, "%d", (int)getpid());
	const struct dirent *entry;
	while ((entry = readdir(dir)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]) && strcmp(entry->d_name, self) != 0 &&
			strlen(entry->d_name) < 16 && has_open(proc, entry->d_name, st.st_rdev)) {
			add_name(proc, entry->d_name, out, cap);
		}
	}
	closedir(dir);
	return out[0] != '\0';
}
