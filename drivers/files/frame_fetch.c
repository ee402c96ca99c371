/* SPDX-License-Identifier: MIT */
#include "frame_fetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "turn.h"

/* The thread, and the child that reads the file for it, are so nice, in the sense of nice(2), so that clients that ask
 * for a position are served first. */
#define THREAD_NICE 5

struct frame_fetch {
	struct frame_fetch_job job;
	int give_up;             /* an eventfd, readable from when the owner ends the fetch */
	atomic_bool cancelled;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool done;
	struct err result;       /* valid when `done` is true */
	pthread_t thread;
};

void frame_recording_free(struct frame_recording *recording)
{
	fits_frame_free(&recording->frame);
	*recording = (struct frame_recording){.file = NULL};
}

void frame_recording_describe(const struct frame_recording *recording, const struct frame_levels *levels,
	enum image_type type, struct frame_info *info)
{
	/* A mean over cells of a mosaic has no colour. */
	info->mosaic = info->bin == 1 ? recording->frame.mosaic : IMAGE_MONO;
	double full = recording->frame.full_scale_adu;
	if (type == IMAGE_U16) {
		full -= levels->zero;
		full = full > UINT16_MAX ? UINT16_MAX : full;
	}
	info->full_scale_adu = full;
}

/* Reads the file into job->kept, unless it is there already. */
static enum err_code load(struct frame_fetch *f, struct err *err)
{
	const struct frame_fetch_job *job = &f->job;
	const struct frame_file *file = job->file;
	struct frame_recording *kept = job->kept;
	if (kept->file == file) {
		return ERR_OK;
	}
	/* Only one recording is in memory at a time. */
	frame_recording_free(kept);
	struct fits_frame fresh = {.pixels = NULL};
	/* A float holds the values of the other types exactly and takes half the memory. */
	bool exact = job->type == IMAGE_I32 || job->type == IMAGE_F64;
	enum err_code code = fits_frame_read_unless(file->path, exact, f->give_up, &fresh, err);
	if (code != ERR_OK) {
		return code;
	}
	if (fresh.width != file->width || fresh.height != file->height || fresh.type != file->type) {
		fits_frame_free(&fresh);
		return err_set(err, ERR_IO, "%s is not the file it was: its size or type has changed", file->name);
	}
	*kept = (struct frame_recording){.frame = fresh, .file = file};
	if (job->type == IMAGE_U16
		&& frame_levels_fit(job->levels, fresh.pixels, (size_t)fresh.width * (size_t)fresh.height)) {
		log_warn(job->source, "%s has negative values: %g is added to each pixel from here on", file->name,
			-job->levels->zero);
	}
	return ERR_OK;
}

static enum err_code cut(struct frame_fetch *f, struct err *err)
{
	const struct frame_fetch_job *job = &f->job;
	return frame_levels_into(job->levels, &job->kept->frame, job->bin, job->start_x, job->start_y, &f->cancelled,
		job->frame, err);
}

static void *fetch_main(void *arg)
{
	struct frame_fetch *f = arg;
	struct err err = {.code = ERR_OK};
	/* The child inherits it. */
	turn_background(THREAD_NICE);
	if (load(f, &err) == ERR_OK) {
		cut(f, &err);
	}
	pthread_mutex_lock(&f->lock);
	f->result = err;
	f->done = true;
	pthread_cond_signal(&f->over);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

static void destroy(struct frame_fetch *f)
{
	pthread_cond_destroy(&f->over);
	pthread_mutex_destroy(&f->lock);
	close(f->give_up);
	free(f);
}

struct frame_fetch *frame_fetch_begin(const struct frame_fetch_job *job)
{
	int give_up = eventfd(0, EFD_CLOEXEC);
	struct frame_fetch *f = give_up >= 0 ? calloc(1, sizeof *f) : NULL;
	if (f == NULL) {
		if (give_up >= 0) {
			close(give_up);
		}
		return NULL;
	}
	f->job = *job;
	f->give_up = give_up;
	pthread_mutex_init(&f->lock, NULL);
	clock_cond_init(&f->over);
	if (pthread_create(&f->thread, NULL, fetch_main, f) != 0) {
		destroy(f);
		return NULL;
	}
	return f;
}

bool frame_fetch_wait(struct frame_fetch *f, int most_ms)
{
	int64_t until_ms = clock_now_ms(clock_real()) + most_ms;
	pthread_mutex_lock(&f->lock);
	while (!f->done && !clock_wait(clock_real(), &f->over, &f->lock, until_ms)) {
	}
	bool done = f->done;
	pthread_mutex_unlock(&f->lock);
	return done;
}

enum err_code frame_fetch_result(const struct frame_fetch *f, struct err *err)
{
	return f->result.code == ERR_OK ? ERR_OK : err_copy(err, &f->result);
}

void frame_fetch_end(struct frame_fetch *f)
{
	if (f == NULL) {
		return;
	}
	atomic_store(&f->cancelled, true);
	eventfd_write(f->give_up, 1);
	pthread_join(f->thread, NULL);
	destroy(f);
}
