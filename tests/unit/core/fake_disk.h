/* SPDX-License-Identifier: MIT */
/* The disk below a position journal, which counts, refuses, writes less than it should, or takes its time. It is linked
 * with --wrap. */
#ifndef FOCUSD_TEST_FAKE_DISK_H
#define FOCUSD_TEST_FAKE_DISK_H

#include <stdatomic.h>
#include <stdbool.h>

struct fake_disk {
	_Atomic int write_error;  /* errno of each pwrite; 0: it works */
	_Atomic int sync_error;   /* errno of each fdatasync; 0: it works */
	_Atomic int cut_at;       /* one pwrite takes only so many bytes; 0: all */
	_Atomic int writes, syncs;
	_Atomic bool sync_waits;  /* fdatasync comes back only when this is false again */
	_Atomic bool syncing;     /* fdatasync is waiting for that */
	void (*_Atomic on_sync)(void); /* called at each fdatasync; may be NULL */
};
extern struct fake_disk disk;

#endif
