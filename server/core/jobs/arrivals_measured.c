/* SPDX-License-Identifier: MIT */
#include "arrivals_measured.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "camera.h"
#include "device_private.h"

/* The nice value of the thread: whatever a client waits for goes first. */
#define THREAD_NICE 10

/* One camera that watches. */
struct watched {
	struct device *camera;
	uint64_t came, left;         /* how many of the camera's were taken in; the thread's */
	struct arrivals_state state; /* under the lock */
};

struct arrivals_measured {
	struct job_needs needs;
	struct watched watched[DEVICES_MAX];
	int count;
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool news, quit;
	bool has_thread;
	pthread_t thread;
};

/* Called by the bus on each event. */
static void wake(void *arg)
{
	struct arrivals_measured *a = arg;
	pthread_mutex_lock(&a->lock);
	a->news = true;
	pthread_cond_signal(&a->work);
	pthread_mutex_unlock(&a->lock);
}

/* Tells clients that there is something new about the camera. */
static void tell(struct device *camera)
{
	pthread_mutex_lock(&camera->lock);
	device_changed(camera);
	pthread_mutex_unlock(&camera->lock);
}

static void leave_out(struct arrivals_measured *a, struct watched *w, const char *file, const char *why)
{
	log_info(w->camera->info.source, "%s is left out: %s", file, why);
	pthread_mutex_lock(&a->lock);
	w->state.left_out++;
	snprintf(w->state.left_file, sizeof w->state.left_file, "%s", file);
	snprintf(w->state.left_why, sizeof w->state.left_why, "%s", why);
	pthread_mutex_unlock(&a->lock);
}

static void measure_one(struct arrivals_measured *a, struct watched *w, const struct camera_arrival *arrival)
{
	const struct config *config = settings_get(a->needs.settings);
	struct measure_options options = measure_defaults();
	options.region = config->autofocus.region;
	settings_release(a->needs.settings, config);
	struct image view = frame_image(arrival->frame);
	struct measurement m;
	struct err err = {.code = ERR_OK};
	size_t listed;
	if (measure_frame(&view, &options, NULL, 0, &listed, &m, &err) != ERR_OK) {
		leave_out(a, w, arrival->file, err.code == ERR_INVALID_VALUE ? "it is too small to measure" : err.text);
		return;
	}
	if (m.stars == 0) {
		leave_out(a, w, arrival->file, "it shows no stars");
		return;
	}
	const struct frame_info *info = &arrival->frame->info;
	log_info(w->camera->info.source, "%s: hfr_px=%.3f stars=%d", arrival->file, m.hfr_px, m.stars);
	pthread_mutex_lock(&a->lock);
	struct arrivals_state *s = &w->state;
	s->measured++;
	s->last = m;
	snprintf(s->file, sizeof s->file, "%s", arrival->file);
	s->width = info->width;
	s->height = info->height;
	s->exposure_s = info->exposure_s;
	s->position_known = info->position_known;
	s->position_steps = info->position_steps;
	s->seen_ms = arrival->seen_ms;
	pthread_mutex_unlock(&a->lock);
}

/* Takes in what is new of one camera. */
static void look(struct arrivals_measured *a, struct watched *w)
{
	struct camera_arrival arrival;
	uint64_t left = camera_left_out(w->camera, &arrival);
	if (left != w->left) {
		w->left = left;
		leave_out(a, w, arrival.file, arrival.why);
		tell(w->camera);
	}
	uint64_t came = camera_arrived(w->camera, &arrival);
	if (came != w->came) {
		w->came = came;
		measure_one(a, w, &arrival);
		tell(w->camera);
	}
	frame_unref(arrival.frame);
}

static void *thread_main(void *arg)
{
	struct arrivals_measured *a = arg;
	/* On Linux a nice value belongs to a thread, not to the process. */
	setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), THREAD_NICE);
	pthread_mutex_lock(&a->lock);
	while (!a->quit) {
		if (!a->news) {
			pthread_cond_wait(&a->work, &a->lock);
			continue;
		}
		a->news = false;
		pthread_mutex_unlock(&a->lock);
		for (int i = 0; i < a->count; i++) {
			look(a, &a->watched[i]);
		}
		pthread_mutex_lock(&a->lock);
	}
	pthread_mutex_unlock(&a->lock);
	return NULL;
}

struct arrivals_measured *arrivals_measured_create(const struct job_needs *needs)
{
	struct arrivals_measured *a = calloc(1, sizeof *a);
	if (a == NULL) {
		return NULL;
	}
	a->needs = *needs;
	pthread_mutex_init(&a->lock, NULL);
	pthread_cond_init(&a->work, NULL);
	struct device *dev;
	for (int i = 0; (dev = devices_at(needs->devices, i)) != NULL; i++) {
		if (device_info(dev)->kind == &camera_kind && camera_watches(dev)) {
			a->watched[a->count++].camera = dev;
		}
	}
	if (a->count == 0) {
		return a;
	}
	a->has_thread = pthread_create(&a->thread, NULL, thread_main, a) == 0;
	if (!a->has_thread || events_listen(needs->events, wake, a) != 0) {
		arrivals_measured_destroy(a);
		return NULL;
	}
	return a;
}

void arrivals_measured_destroy(struct arrivals_measured *a)
{
	if (a == NULL) {
		return;
	}
	if (a->has_thread) {
		events_unlisten(a->needs.events, wake, a);
		pthread_mutex_lock(&a->lock);
		a->quit = true;
		pthread_cond_signal(&a->work);
		pthread_mutex_unlock(&a->lock);
		pthread_join(a->thread, NULL);
	}
	pthread_cond_destroy(&a->work);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

bool arrivals_measured_state(struct arrivals_measured *a, const struct device *dev, struct arrivals_state *out)
{
	for (int i = 0; a != NULL && i < a->count; i++) {
		if (a->watched[i].camera == dev) {
			pthread_mutex_lock(&a->lock);
			*out = a->watched[i].state;
			pthread_mutex_unlock(&a->lock);
			return true;
		}
	}
	return false;
}
