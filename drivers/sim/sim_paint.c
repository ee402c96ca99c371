/* SPDX-License-Identifier: MIT */
#include "sim_paint.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "turn.h"

/* More threads than this would only wait for memory. */
#define THREADS_MOST 4
/* The painters are so nice, in the sense of nice(2), so that clients that ask for a position are served first. */
#define THREAD_NICE 5

/* So many rows go into the frame at once: whole cache lines of each of its columns. */
#define STRIP_ROWS 32
/* So many pixels of the sensor are rendered at once, so that they stay in the cache. */
#define CHUNK_PIXELS (32 * 1024)

struct sim_paint {
	struct sim_paint_job job;
	int strips;
	atomic_int next_strip;
	atomic_bool cancelled;
	bool good;               /* the frame is whole; valid when `done` is true */
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool done;
	pthread_t first;         /* the thread that makes the scene and has the others help */
};

/* What one thread works with. */
struct brush {
	float *electrons;
	uint16_t *sensor;        /* of one plane, unbinned */
	uint16_t *strip;         /* row-major, as frame_fill() wants it */
};

/* The number of rows of the frame that are rendered at once. */
static int32_t chunk_rows(const struct sim_paint_job *job)
{
	int64_t row = (int64_t)job->frame->info.width * job->bin * job->bin;
	int64_t rows = CHUNK_PIXELS / row;
	return rows < 1 ? 1 : rows > STRIP_ROWS ? STRIP_ROWS : (int32_t)rows;
}

static void brush_fini(struct brush *b)
{
	free(b->electrons);
	free(b->sensor);
	free(b->strip);
}

static bool brush_init(struct brush *b, const struct sim_paint_job *job)
{
	const struct frame_info *f = &job->frame->info;
	size_t row = (size_t)f->width;
	size_t pixels = row * (size_t)chunk_rows(job) * (size_t)(job->bin * job->bin);
	b->electrons = malloc(pixels * sizeof *b->electrons);
	b->sensor = malloc(pixels * sizeof *b->sensor);
	b->strip = malloc(STRIP_ROWS * row * (size_t)f->planes * sizeof *b->strip);
	if (b->electrons == NULL || b->sensor == NULL || b->strip == NULL) {
		brush_fini(b);
		return false;
	}
	return true;
}

/* Replaces bin x bin pixels by their mean; `from` has rows of width * bin values, bin rows for one row of `to`. Both
 * may be the same memory: a mean is never written before its pixels were read. */
static void bin_rows(uint16_t *to, const uint16_t *from, size_t width, size_t rows, size_t bin)
{
	size_t wide = width * bin;
	uint32_t share = (uint32_t)(bin * bin);
	for (size_t y = 0; y < rows; y++) {
		for (size_t x = 0; x < width; x++) {
			const uint16_t *corner = from + y * bin * wide + x * bin;
			uint32_t sum = share / 2;
			for (size_t j = 0; j < bin; j++) {
				for (size_t i = 0; i < bin; i++) {
					sum += corner[j * wide + i];
				}
			}
			to[y * width + x] = (uint16_t)(sum / share);
		}
	}
}

/* Paints some rows of the frame in every plane. */
static void paint_rows(const struct sim_paint_job *job, const struct brush *b,
	struct sim_random *noise, int32_t first, int32_t rows, uint16_t *out)
{
	const struct frame_info *f = &job->frame->info;
	size_t pixels = (size_t)f->width * (size_t)rows;
	size_t planes = (size_t)f->planes;
	uint16_t *sensor = job->bin == 1 && planes == 1 ? out : b->sensor;
	for (size_t plane = 0; plane < planes; plane++) {
		sim_render(&job->scene, job->start_x * job->bin, (job->start_y + first) * job->bin,
			f->width * job->bin, rows * job->bin, planes > 1 ? (int)plane : -1, b->electrons);
		sim_digitise(&job->sensor, job->ziggurat, noise, b->electrons,
			pixels * (size_t)(job->bin * job->bin), sensor);
		if (job->bin > 1) {
			bin_rows(planes == 1 ? out : sensor, sensor, (size_t)f->width, (size_t)rows,
				(size_t)job->bin);
		}
		for (size_t i = 0; planes > 1 && i < pixels; i++) {
			out[i * planes + plane] = sensor[i];
		}
	}
}

/* Paints strips, each time the next one that no other thread has taken. A strip has noise of its own, so it does not
 * matter which thread paints it. */
static void paint_strips(struct sim_paint *p, const struct brush *b)
{
	const struct sim_paint_job *job = &p->job;
	const struct frame_info *f = &job->frame->info;
	while (!atomic_load(&p->cancelled)) {
		int n = atomic_fetch_add(&p->next_strip, 1);
		if (n >= p->strips) {
			return;
		}
		struct sim_random noise;
		sim_random_init(&noise, job->noise_seed, (uint64_t)n);
		int32_t first = n * STRIP_ROWS;
		int32_t rows = f->height - first < STRIP_ROWS ? f->height - first : STRIP_ROWS;
		for (int32_t y = 0; y < rows; y += chunk_rows(job)) {
			int32_t now = rows - y < chunk_rows(job) ? rows - y : chunk_rows(job);
			paint_rows(job, b, &noise, first + y, now,
				b->strip + (size_t)y * (size_t)f->width * (size_t)f->planes);
		}
		frame_fill(job->frame, first, rows, b->strip);
	}
}

static void *help_main(void *arg)
{
	struct sim_paint *p = arg;
	turn_background(THREAD_NICE);
	struct brush brush;
	if (brush_init(&brush, &p->job)) {
		paint_strips(p, &brush);
		brush_fini(&brush);
	}
	return NULL;
}

static int threads_wanted(int strips)
{
	cpu_set_t cpus;
	int count = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
	count = count < THREADS_MOST ? count : THREADS_MOST;
	return count < strips ? count : strips;
}

static bool paint(struct sim_paint *p)
{
	struct brush brush;
	if (!brush_init(&brush, &p->job)) {
		return false;
	}
	bool good = sim_scene_init(&p->job.scene) == 0;
	if (good) {
		pthread_t help[THREADS_MOST];
		int helpers = 0;
		for (int i = 1; i < threads_wanted(p->strips); i++) {
			helpers += pthread_create(&help[helpers], NULL, help_main, p) == 0;
		}
		paint_strips(p, &brush);
		for (int i = 0; i < helpers; i++) {
			pthread_join(help[i], NULL);
		}
	}
	brush_fini(&brush);
	return good;
}

static void *first_main(void *arg)
{
	struct sim_paint *p = arg;
	turn_background(THREAD_NICE);
	bool good = paint(p);
	pthread_mutex_lock(&p->lock);
	p->good = good;
	p->done = true;
	pthread_cond_signal(&p->over);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct sim_paint *sim_paint_begin(const struct sim_paint_job *job)
{
	struct sim_paint *p = calloc(1, sizeof *p);
	if (p == NULL) {
		return NULL;
	}
	p->job = *job;
	p->job.scene.cancelled = &p->cancelled;
	p->strips = (job->frame->info.height + STRIP_ROWS - 1) / STRIP_ROWS;
	pthread_mutex_init(&p->lock, NULL);
	clock_cond_init(&p->over);
	if (pthread_create(&p->first, NULL, first_main, p) != 0) {
		pthread_cond_destroy(&p->over);
		pthread_mutex_destroy(&p->lock);
		free(p);
		return NULL;
	}
	return p;
}

bool sim_paint_wait(struct sim_paint *p, int most_ms)
{
	int64_t until_ms = clock_now_ms(clock_real()) + most_ms;
	pthread_mutex_lock(&p->lock);
	while (!p->done && !clock_wait(clock_real(), &p->over, &p->lock, until_ms)) {
	}
	bool done = p->done;
	pthread_mutex_unlock(&p->lock);
	return done;
}

const struct sim_scene *sim_paint_scene(const struct sim_paint *p)
{
	return p->good ? &p->job.scene : NULL;
}

void sim_paint_end(struct sim_paint *p)
{
	if (p == NULL) {
		return;
	}
	atomic_store(&p->cancelled, true);
	pthread_join(p->first, NULL);
	if (p->good) {
		sim_scene_fini(&p->job.scene);
	}
	pthread_cond_destroy(&p->over);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
