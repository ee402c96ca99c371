/* SPDX-License-Identifier: MIT */
#include "plain_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int refuse(int fd, int error)
{
	close(fd);
	errno = error;
	return -1;
}

int plain_file_open(const char *path, int flags)
{
	struct stat facts;
	/* Opening a pipe or a device can have effects of its own, so what is known beforehand is not opened at all;
	 * the open file is asked again, because the name may have been given to another meanwhile. */
	if (lstat(path, &facts) == 0 && !S_ISREG(facts.st_mode)) {
		errno = S_ISLNK(facts.st_mode) ? ELOOP : S_ISDIR(facts.st_mode) ? EISDIR : EINVAL;
		return -1;
	}
	int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0644);
	if (fd < 0) {
		return -1;
	}
	if (fstat(fd, &facts) != 0) {
		return refuse(fd, errno);
	}
	if (!S_ISREG(facts.st_mode)) {
		return refuse(fd, S_ISDIR(facts.st_mode) ? EISDIR : EINVAL);
	}
	return fd;
}

bool plain_file_read(const char *path, struct buf *out)
{
	int fd = plain_file_open(path, O_RDONLY);
	if (fd < 0) {
		return false;
	}
	char chunk[4096];
	ssize_t n = 1;
	while (n != 0 && !out->failed) {
		n = read(fd, chunk, sizeof chunk);
		if (n < 0 && errno != EINTR) {
			refuse(fd, errno);
			return false;
		}
		if (n > 0) {
			buf_add(out, chunk, (size_t)n);
		}
	}
	if (out->failed) {
		refuse(fd, EFBIG);
		return false;
	}
	close(fd);
	return true;
}

const char *plain_file_reason(int error)
{
	switch (error) {
	case ELOOP:
		return "it is a symbolic link";
	case EISDIR:
		return "it is a directory";
	case EINVAL:
		return "it is no regular file";
	case EFBIG:
		return "it is too large";
	default:
		return strerror(error);
	}
}

bool plain_path_is_open(const char *path, char *why, size_t cap)
{
	char real[PATH_MAX];
	struct stat facts;
	why[0] = '\0';
	if (realpath(path, real) == NULL) {
		return true; /* whoever looks for it says that it is not there */
	}
	if (strncmp(real, "/tmp/", 5) == 0 || strncmp(real, "/var/tmp/", 9) == 0) {
		snprintf(why, cap, "the service has a /tmp and a /var/tmp of its own");
		return false;
	}
	for (char *end = real; end != NULL;) {
		end = strchr(end + 1, '/');
		if (end != NULL) {
			*end = '\0';
		}
		mode_t needed = end != NULL ? S_IXOTH : S_IROTH;
		if (stat(real, &facts) == 0 && (facts.st_mode & needed) != needed) {
			snprintf(why, cap, "not every user may %s %s", end == NULL ? "read" : "enter", real);
			return false;
		}
		if (end != NULL) {
			*end = '/';
		}
	}
	return true;
}
