/* SPDX-License-Identifier: MIT */
/* Which files of a folder count, and from when on their light was collected: the rules of folder_tree.h and
 * folder_frame.h on a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "camera_driver.h"
#include "folder_frame.h"
#include "folder_known.h"
#include "folder_tree.h"

static char root[64];
static const atomic_bool go_on;

static const char *at(const char *name)
{
	static char path[2][256];
	static int turn;
	turn = !turn;
	snprintf(path[turn], sizeof path[turn], "%s/%s", root, name);
	return path[turn];
}

static void put(const char *name, const char *text)
{
	FILE *file = fopen(at(name), "ae");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int make_root(void **state)
{
	(void)state;
	snprintf(root, sizeof root, "/tmp/focusd-folder-XXXXXX");
	return mkdtemp(root) == NULL;
}

static int drop(const char *path, const struct stat *file, int kind, struct FTW *where)
{
	(void)file;
	(void)kind;
	(void)where;
	return remove(path);
}

static int drop_root(void **state)
{
	(void)state;
	return nftw(root, drop, 8, FTW_DEPTH | FTW_PHYS);
}

static void look(struct folder_tree *tree, int64_t now_ms)
{
	struct err err;
	assert_int_equal(folder_tree_look(tree, now_ms, &go_on, &err), ERR_OK);
}

/* Nothing is given out, or the file of this name. */
static void gives(struct folder_tree *tree, int64_t now_ms, const char *name)
{
	struct folder_file file;
	bool any = folder_tree_next(tree, now_ms, &file);
	if (name == NULL) {
		assert_false(any);
		return;
	}
	assert_true(any);
	assert_string_equal(file.path, at(name));
	free(file.path);
}

static void what_was_there_is_known(void **state)
{
	(void)state;
	put("old.fits", "x");
	put("note.txt", "x");
	struct timespec long_ago[2] = {{.tv_sec = 1000000}, {.tv_sec = 1000000}};
	assert_int_equal(utimensat(AT_FDCWD, at("old.fits"), long_ago, 0), 0);
	put("newest.fits", "x");
	struct folder_tree *tree = folder_tree_create(root, -1);
	assert_non_null(tree);
	look(tree, 0);
	gives(tree, FOLDER_SETTLE_MS, "newest.fits");
	look(tree, 10000);
	gives(tree, 20000, NULL);
	assert_true(folder_tree_due_ms(tree) == INT64_MAX);
	folder_tree_destroy(tree);
}

/* Without a word of inotify a file counts when it has stood still; of those that do the newest is given out. */
static void what_stands_still_counts(void **state)
{
	(void)state;
	struct folder_tree *tree = folder_tree_create(root, -1);
	assert_non_null(tree);
	assert_false(folder_tree_all_told(tree));
	look(tree, 0);
	put("a.fits", "half");
	look(tree, 1000);
	gives(tree, 1000 + FOLDER_SETTLE_MS - 1, NULL);
	put("a.fits", "whole");
	gives(tree, 1000 + FOLDER_SETTLE_MS, NULL);
	gives(tree, 1000 + 2 * FOLDER_SETTLE_MS, "a.fits");
	/* Two at a time, in a folder that is new. */
	assert_int_equal(mkdir(at("night"), 0700), 0);
	put("night/b.fit", "x");
	look(tree, 20000);
	put("night/c.fts.gz", "x");
	put("night/.d.fits", "x");
	look(tree, 21000);
	gives(tree, 30000, "night/c.fts.gz");
	gives(tree, 30000, NULL);
	/* One that is written over is another one. */
	put("night/c.fts.gz", "more");
	look(tree, 40000);
	gives(tree, 40000 + FOLDER_SETTLE_MS, "night/c.fts.gz");
	/* One that has gone is not awaited. */
	put("night/e.fits", "x");
	look(tree, 50000);
	assert_int_equal(unlink(at("night/e.fits")), 0);
	gives(tree, 60000, NULL);
	assert_true(folder_tree_due_ms(tree) == INT64_MAX);
	folder_tree_destroy(tree);
}

/* A link to somewhere else, or round, is not followed. */
static void links_lead_nowhere(void **state)
{
	(void)state;
	struct folder_tree *tree = folder_tree_create(root, -1);
	assert_non_null(tree);
	look(tree, 0);
	assert_int_equal(symlink(root, at("round")), 0);
	assert_int_equal(symlink("/dev/zero", at("endless.fits")), 0);
	assert_int_equal(mkfifo(at("pipe.fits"), 0600), 0);
	assert_int_equal(mkdir(at("folder.fits"), 0700), 0);
	look(tree, 1000);
	gives(tree, 60000, NULL);
	folder_tree_destroy(tree);
}

static void tell_all(struct folder_tree *tree, int notify, int64_t now_ms)
{
	_Alignas(struct inotify_event) char bytes[4096];
	ssize_t n = read(notify, bytes, sizeof bytes);
	for (char *p = bytes; n > 0 && p < bytes + n;) {
		const struct inotify_event *event = (const struct inotify_event *)p;
		if (folder_tree_told(tree, event, now_ms)) {
			look(tree, now_ms);
		}
		p += sizeof *event + event->len;
	}
}

/* What inotify tells counts at once; a file that is open does not. */
static void what_is_told_counts_at_once(void **state)
{
	(void)state;
	int notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	struct folder_tree *tree = folder_tree_create(root, notify);
	assert_non_null(tree);
	look(tree, 0);
	assert_true(folder_tree_all_told(tree));
	put("a.fits", "x");
	tell_all(tree, notify, 1000);
	gives(tree, 1000, "a.fits");
	FILE *open = fopen(at("b.fits"), "we");
	assert_non_null(open);
	tell_all(tree, notify, 2000);
	gives(tree, 2000, NULL);
	fputs("x", open);
	fclose(open);
	tell_all(tree, notify, 2500);
	gives(tree, 2500, "b.fits");
	put("c.tmp", "x");
	assert_int_equal(rename(at("c.tmp"), at("c.fits")), 0);
	tell_all(tree, notify, 3000);
	gives(tree, 3000, "c.fits");
	assert_int_equal(mkdir(at("new"), 0700), 0);
	tell_all(tree, notify, 4000);
	put("new/d.fits", "x");
	tell_all(tree, notify, 4000);
	gives(tree, 4000, "new/d.fits");
	folder_tree_destroy(tree);
	close(notify);
}

static void what_cannot_be_read_is_tried_again(void **state)
{
	(void)state;
	struct folder_tree *tree = folder_tree_create(root, -1);
	assert_non_null(tree);
	look(tree, 0);
	put("a.fits", "x");
	look(tree, 0);
	struct folder_file file;
	assert_true(folder_tree_next(tree, FOLDER_SETTLE_MS, &file));
	assert_int_equal(file.tries, 0);
	assert_true(folder_tree_same(&file));
	folder_tree_again(tree, &file, 10000);
	free(file.path);
	assert_false(folder_tree_next(tree, 10000 + FOLDER_RETRY_MS - 1, &file));
	assert_true(folder_tree_next(tree, 10000 + FOLDER_RETRY_MS, &file));
	assert_int_equal(file.tries, 1);
	put("a.fits", "y");
	assert_false(folder_tree_same(&file));
	free(file.path);
	folder_tree_destroy(tree);
}

static void a_folder_that_is_gone_is_said(void **state)
{
	(void)state;
	struct folder_tree *tree = folder_tree_create(at("nowhere"), -1);
	struct err err;
	assert_non_null(tree);
	assert_int_equal(folder_tree_look(tree, 0, &go_on, &err), ERR_IO);
	assert_non_null(strstr(err.text, "nowhere"));
	folder_tree_destroy(tree);
}

static void many_files_are_known(void **state)
{
	(void)state;
	struct folder_known known = {.marks = NULL};
	char path[32];
	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof path, "/night/x%d.fits", i);
		folder_known_set(&known, path, &(struct folder_stamp){.size = i});
	}
	for (int i = 0; i < 5000; i++) {
		snprintf(path, sizeof path, "/night/x%d.fits", i);
		assert_true(folder_known_is(&known, path, &(struct folder_stamp){.size = i}));
		assert_false(folder_known_is(&known, path, &(struct folder_stamp){.size = i + 1}));
	}
	assert_false(folder_known_is(&known, "/night/x5000.fits", &(struct folder_stamp){.size = 5000}));
	assert_int_equal(known.count, 5000);
	folder_known_fini(&known);
}

/* The rule in words stands at folder_frame_begun(). */
static void when_the_light_was_collected(void **state)
{
	(void)state;
	static const struct {
		int64_t seen_ms, seen_utc_ms;
		double exposure_s;
		int64_t start_utc_ms, last_seen_ms, begun_ms;
	} rows[] = {
		/* 10 s, written 3 s after their end: the header says when they began. */
		{50000, 1000000, 10.0, 987000, 20000, 37000},
		/* No header: the read-out is taken for five seconds. */
		{50000, 1000000, 10.0, 0, 20000, 35000},
		/* A header of another day, of a clock that is ahead, of one that is behind. */
		{50000, 1000000, 10.0, 5000, 20000, 35000},
		{50000, 1000000, 10.0, 995000, 20000, 35000},
		{50000, 1000000, 10.0, 990000 - FOLDER_CLOCKS_AGREE_MS, 20000, 35000},
		/* An exposure that is not known, or cannot be: since the frame before, or for ever. */
		{50000, 1000000, NAN, 987000, 20000, 20000},
		{50000, 1000000, -1.0, 987000, 20000, 20000},
		{50000, 1000000, 1e30, 987000, INT64_MIN, INT64_MIN},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(folder_frame_begun(rows[i].seen_ms, rows[i].seen_utc_ms, rows[i].exposure_s,
			rows[i].start_utc_ms, rows[i].last_seen_ms), rows[i].begun_ms);
	}
}

/* ---- the driver ---- */

struct news {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int count;
};

static bool post(void *ctx, const void *data, size_t size)
{
	struct news *news = ctx;
	assert_true(data != NULL && size > 0 && size <= DRIVER_POST_BYTES);
	pthread_mutex_lock(&news->lock);
	news->count++;
	pthread_cond_signal(&news->changed);
	pthread_mutex_unlock(&news->lock);
	return true;
}

static void wait_for_post(struct news *news)
{
	pthread_mutex_lock(&news->lock);
	while (news->count == 0) {
		pthread_cond_wait(&news->changed, &news->lock);
	}
	news->count = 0;
	pthread_mutex_unlock(&news->lock);
}

/* What is no picture is handed over with the reason; a folder that is taken away is said at once. */
static void the_driver_posts_what_it_sees(void **state)
{
	(void)state;
	const struct camera_driver *driver = camera_driver_find("folder");
	struct news news = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
	struct driver_host host = {.source = "camera.0", .pixel_size_um = NAN, .post = post, .post_ctx = &news};
	struct camera_port port = {.path = ""};
	snprintf(port.path, sizeof port.path, "%s", root);
	struct camera_caps caps = {.width = 0};
	struct err err = {.code = ERR_OK};
	void *ctx = calloc(1, driver->ctx_size);
	assert_non_null(ctx);
	assert_int_equal(driver->open(ctx, &port, &host, &caps, &err), ERR_OK);
	put("a.xisf", "XISF0100");
	wait_for_post(&news);
	struct camera_arrival arrival;
	assert_true(driver->take_arrived(ctx, &arrival));
	assert_null(arrival.frame);
	assert_string_equal(arrival.file, "a.xisf");
	assert_non_null(strstr(arrival.why, "XISF"));
	assert_int_equal(driver->posted(ctx, NULL, 0, &err), ERR_OK);
	assert_int_equal(drop_root(NULL), 0);
	wait_for_post(&news);
	assert_int_equal(driver->posted(ctx, NULL, 0, &err), ERR_IO);
	assert_non_null(strstr(err.text, "cannot read the folder"));
	driver->close(ctx);
	assert_int_equal(driver->open(ctx, &port, &host, &caps, &err), ERR_IO);
	driver->close(ctx);
	free(ctx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_there_is_known, make_root, drop_root),
		cmocka_unit_test_setup_teardown(what_stands_still_counts, make_root, drop_root),
		cmocka_unit_test_setup_teardown(links_lead_nowhere, make_root, drop_root),
		cmocka_unit_test_setup_teardown(what_is_told_counts_at_once, make_root, drop_root),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_tried_again, make_root, drop_root),
		cmocka_unit_test_setup_teardown(a_folder_that_is_gone_is_said, make_root, drop_root),
		cmocka_unit_test_setup(the_driver_posts_what_it_sees, make_root),
		cmocka_unit_test(many_files_are_known),
		cmocka_unit_test(when_the_light_was_collected),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
