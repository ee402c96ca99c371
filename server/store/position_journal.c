/* SPDX-License-Identifier: MIT */
/* The file of the journal and the thread that writes it; position_slot.c makes the text of its slots. */
#include "position_journal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "plain_file.h"
#include "state.h"

struct position_journal {
	char path[1100];
	char source[32];
	void (*done)(void *arg);
	void *arg;
	pthread_t thread;

	pthread_mutex_t lock; /* a leaf: no other lock is taken while this one is held */
	pthread_cond_t mail;
	bool quit;
	uint64_t wished;      /* the newest ticket that was handed over; tickets count up */
	uint64_t settled;     /* the newest ticket whose entry was tried */
	bool failed;          /* whether that try failed */
	struct position_entry next;

	/* Only the journal's thread uses these. */
	int fd;               /* -1: not open */
	uint64_t sequence;    /* of the last entry that is on the disk; 0: nothing on the disk counts */
	struct position_entry last;
	struct log_lasting failures;
	char bytes[POSITION_JOURNAL_SIZE];
};

enum position_found position_journal_find(const char *bytes, size_t len, struct position_entry *out)
{
	if (len == 0) {
		return POSITION_DAMAGED;
	}
	struct position_entry slot[POSITION_SLOTS];
	bool good[POSITION_SLOTS] = {false};
	bool used[POSITION_SLOTS] = {false};
	for (int i = 0; i < POSITION_SLOTS; i++) {
		size_t at = (size_t)i * POSITION_SLOT_SIZE;
		if (len < at + POSITION_SLOT_SIZE) {
			used[i] = true;
			continue;
		}
		const char *text = bytes + at;
		good[i] = position_slot_parse(text, &slot[i]) && slot[i].sequence % POSITION_SLOTS == (uint64_t)i;
		size_t blanks = 0;
		while (blanks < POSITION_SLOT_SIZE - 1 && text[blanks] == ' ') {
			blanks++;
		}
		used[i] = blanks < POSITION_SLOT_SIZE - 1;
	}
	if (!good[0] && !good[1]) {
		return used[0] || used[1] ? POSITION_DAMAGED : POSITION_NONE;
	}
	int newest = good[0] && (!good[1] || slot[0].sequence > slot[1].sequence) ? 0 : 1;
	*out = slot[newest];
	return used[1 - newest] && !good[1 - newest] ? POSITION_MENDED : POSITION_READ;
}

enum position_found position_journal_read(const char *path, struct position_entry *out, struct err *err)
{
	int fd = plain_file_open(path, O_RDONLY);
	if (fd < 0) {
		if (errno == ENOENT) {
			return POSITION_NONE;
		}
		err_set(err, ERR_IO, "cannot read %.150s: %s", path, plain_file_reason(errno));
		return POSITION_DAMAGED;
	}
	char bytes[POSITION_JOURNAL_SIZE];
	size_t len = 0;
	ssize_t n = 1;
	while (len < sizeof bytes && n > 0) {
		n = pread(fd, bytes + len, sizeof bytes - len, (off_t)len);
		if (n > 0) {
			len += (size_t)n;
		} else if (n < 0 && errno == EINTR) {
			n = 1;
		}
	}
	int why = errno;
	close(fd);
	enum position_found found = n < 0 ? POSITION_DAMAGED : position_journal_find(bytes, len, out);
	if (found == POSITION_DAMAGED) {
		err_set(err, ERR_IO, "cannot read %.150s: %s", path, n < 0 ? strerror(why) : "it is damaged");
	}
	return found;
}

/* Opens the file, or makes a new one with the entry in it; from then on its blocks exist. */
static enum err_code open_file(struct position_journal *j, bool *written, struct err *err)
{
	*written = false;
	struct stat facts;
	int fd = plain_file_open(j->path, O_RDWR);
	if (fd >= 0 && j->sequence > 0 && fstat(fd, &facts) == 0 && facts.st_size == POSITION_JOURNAL_SIZE) {
		j->fd = fd;
		return ERR_OK;
	}
	if (fd >= 0) {
		close(fd);
	} else if (errno == ELOOP || errno == EISDIR || errno == EINVAL) {
		const char *reason = plain_file_reason(errno);
		char aside[STATE_PATH_MAX];
		if (!state_put_aside(j->path, aside)) {
			return err_set(err, ERR_IO, "cannot write %.150s: %s", j->path, reason);
		}
		log_warn(j->source, "%s could not be used, %s: it is now %s", j->path, reason, aside);
	} else if (errno != ENOENT) {
		return err_set(err, ERR_IO, "cannot write %.150s: %s", j->path, strerror(errno));
	}
	memset(j->bytes, ' ', sizeof j->bytes);
	for (int i = 0; i < POSITION_SLOTS; i++) {
		j->bytes[(i + 1) * POSITION_SLOT_SIZE - 1] = '\n';
	}
	if (!position_slot_print(&j->last,
		    j->bytes + j->last.sequence % POSITION_SLOTS * POSITION_SLOT_SIZE)) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	enum err_code code = state_write_file(j->path, j->bytes, sizeof j->bytes, err);
	if (code != ERR_OK) {
		return code;
	}
	*written = true;
	j->fd = plain_file_open(j->path, O_RDWR);
	return j->fd >= 0 ? ERR_OK
			  : err_set(err, ERR_IO, "cannot write %.150s: %s", j->path, strerror(errno));
}

static enum err_code write_slot(struct position_journal *j, struct err *err)
{
	size_t slot = j->last.sequence % POSITION_SLOTS * POSITION_SLOT_SIZE;
	if (!position_slot_print(&j->last, j->bytes)) {
		return err_set(err, ERR_NOMEM, "out of memory");
	}
	size_t done = 0;
	while (done < POSITION_SLOT_SIZE) {
		ssize_t n = pwrite(j->fd, j->bytes + done, POSITION_SLOT_SIZE - done, (off_t)(slot + done));
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return err_set(err, ERR_IO, "cannot write %.150s: %s", j->path,
				n < 0 ? strerror(errno) : "nothing was taken");
		}
		done += (size_t)n;
	}
	if (fdatasync(j->fd) != 0) {
		return err_set(err, ERR_IO, "cannot bring %.150s to the disk: %s", j->path, strerror(errno));
	}
	return ERR_OK;
}

/* Tries once to write an entry. A sequence number is used once: after a failure nobody knows how much of the slot
 * reached the disk, so the next entry goes to the same slot, and the other one, which is good, is left alone. */
static bool write_entry(struct position_journal *j, const struct position_entry *entry)
{
	struct err err = {0};
	bool written = false;
	j->last = *entry;
	j->last.sequence = j->sequence + 1;
	enum err_code code = ERR_OK;
	if (j->fd < 0) {
		code = open_file(j, &written, &err);
	}
	if (code == ERR_OK && !written) {
		code = write_slot(j, &err);
	}
	if (code == ERR_OK) {
		j->sequence++;
		unsigned lost = log_lasting_over(&j->failures);
		if (lost > 0) {
			log_info(j->source, "the position is remembered again after %u failed writes", lost);
		}
		return true;
	}
	if (j->fd >= 0) {
		close(j->fd);
		j->fd = -1;
	}
	if (log_lasting_news(&j->failures, err.text)) {
		log_warn(j->source, "the position cannot be remembered: %s", err.text);
	}
	return false;
}

static void *journal_main(void *arg)
{
	struct position_journal *j = arg;
	pthread_mutex_lock(&j->lock);
	for (;;) {
		while (!j->quit && j->settled == j->wished) {
			pthread_cond_wait(&j->mail, &j->lock);
		}
		if (j->settled == j->wished) {
			break;
		}
		struct position_entry entry = j->next;
		uint64_t ticket = j->wished;
		pthread_mutex_unlock(&j->lock);
		bool good = write_entry(j, &entry);
		pthread_mutex_lock(&j->lock);
		j->settled = ticket;
		j->failed = !good;
		pthread_mutex_unlock(&j->lock);
		if (j->done != NULL) {
			j->done(j->arg);
		}
		pthread_mutex_lock(&j->lock);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

struct position_journal *position_journal_create(const char *path, const char *source,
	const struct position_entry *last, void (*done)(void *arg), void *arg)
{
	struct position_journal *j = calloc(1, sizeof *j);
	if (j == NULL) {
		return NULL;
	}
	snprintf(j->path, sizeof j->path, "%s", path);
	snprintf(j->source, sizeof j->source, "%s", source);
	j->done = done;
	j->arg = arg;
	j->fd = -1;
	if (last != NULL) {
		j->sequence = last->sequence;
	}
	pthread_mutex_init(&j->lock, NULL);
	pthread_cond_init(&j->mail, NULL);
	if (pthread_create(&j->thread, NULL, journal_main, j) != 0) {
		pthread_cond_destroy(&j->mail);
		pthread_mutex_destroy(&j->lock);
		free(j);
		return NULL;
	}
	return j;
}

uint64_t position_journal_note(struct position_journal *journal, const struct position_entry *entry)
{
	pthread_mutex_lock(&journal->lock);
	journal->next = *entry;
	uint64_t ticket = ++journal->wished;
	pthread_cond_signal(&journal->mail);
	pthread_mutex_unlock(&journal->lock);
	return ticket;
}

bool position_journal_settled(struct position_journal *journal, uint64_t ticket, bool *failed)
{
	pthread_mutex_lock(&journal->lock);
	bool settled = journal->settled >= ticket;
	*failed = settled && journal->failed;
	pthread_mutex_unlock(&journal->lock);
	return settled;
}

void position_journal_destroy(struct position_journal *journal)
{
	if (journal == NULL) {
		return;
	}
	pthread_mutex_lock(&journal->lock);
	journal->quit = true;
	pthread_cond_signal(&journal->mail);
	pthread_mutex_unlock(&journal->lock);
	pthread_join(journal->thread, NULL);
	if (journal->fd >= 0) {
		close(journal->fd);
	}
	pthread_cond_destroy(&journal->mail);
	pthread_mutex_destroy(&journal->lock);
	free(journal);
}
