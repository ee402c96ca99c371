/* SPDX-License-Identifier: MIT */
#include "fake_disk.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <unistd.h>

struct fake_disk disk;

ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __real_pwrite64(int fd, const void *data, size_t len, off64_t at);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off64_t at);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

/* How many bytes are taken; negative when none. */
static ssize_t taken(size_t len)
{
	atomic_fetch_add(&disk.writes, 1);
	int error = atomic_load(&disk.write_error);
	if (error != 0) {
		errno = error;
		return -1;
	}
	int cut = atomic_exchange(&disk.cut_at, 0);
	return cut > 0 && (size_t)cut < len ? cut : (ssize_t)len;
}

ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
	ssize_t n = taken(len);
	return n < 0 ? n : __real_pwrite(fd, data, (size_t)n, at);
}

ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off64_t at)
{
	ssize_t n = taken(len);
	return n < 0 ? n : __real_pwrite64(fd, data, (size_t)n, at);
}

int __wrap_fdatasync(int fd)
{
	atomic_fetch_add(&disk.syncs, 1);
	if (disk.on_sync != NULL) {
		disk.on_sync();
	}
	atomic_store(&disk.syncing, true);
	while (atomic_load(&disk.sync_waits)) {
		sched_yield();
	}
	atomic_store(&disk.syncing, false);
	int error = atomic_load(&disk.sync_error);
	if (error != 0) {
		errno = error;
		return -1;
	}
	return __real_fdatasync(fd);
}
