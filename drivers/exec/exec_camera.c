/* SPDX-License-Identifier: MIT */
/*
 * A camera that is a command: one run of it writes one frame into a file (rpicam-still, gphoto2, a script).  Argument
 * vector and file name come from the configuration file only.  Nothing is known of such a camera before it has taken a
 * frame, so the first connect runs the command once, with a short exposure, to learn the size of its frames.
 */
#include <dirent.h>
#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "camera_driver.h"
#include "exec_check.h"
#include "exec_child.h"
#include "exec_words.h"
#include "frame_fetch.h"
#include "log.h"

/* The exposure with which the size of a frame is learned: long enough for any shutter, short enough not to wait for. */
#define FIRST_EXPOSURE_S 0.1
/* A command may take three times the exposure (a dark frame of the camera's own, and reading out) and this long more.
 * Programs for single-lens cameras take up to 15 s to find theirs. */
#define DEADLINE_FACTOR 3.0
#define DEADLINE_MORE_MS 30000
#define LONGEST_EXPOSURE_S 3600.0
/* Gain is a number that the command understands; its range is not known. */
#define GAIN_MAX 100000
/* The command is looked at this often (real milliseconds), and an abort is noticed as soon. */
#define LOOK_MS 20
/* What close() and abort() wait before they kill a command: each call has to end within two seconds. */
#define END_GRACE_MS 1500

enum exec_phase {
	EXEC_IDLE,
	EXEC_RUNNING,  /* the command */
	EXEC_FETCHING, /* its frame, on another thread */
	EXEC_FAILED,   /* for the reason in `failure` */
};

/* What one connect has learned of the frames, for the next ones of this process. */
struct exec_known {
	_Atomic bool known;
	_Atomic int32_t width, height, bayer_x, bayer_y;
	_Atomic int type, mosaic;
	_Atomic double full_scale_adu, pixel_um;
};

struct exec_camera {
	const struct driver_host *host;
	const struct camera_port *port;
	struct exec_known *known;
	char folder[64];                /* of the command's own; "" none */
	unsigned count;                 /* of exposures: each has a name of its own in the folder */
	char path[256];                 /* of the frame that is awaited */
	struct exec_words words;
	struct exec_child child;
	/* The exposure. */
	enum exec_phase phase;
	struct exposure_request request;
	int64_t start_ms, deadline_ms;
	bool late;                      /* it was asked to end, because its time was over */
	struct err failure;
	struct frame_file file;
	struct frame *frame;            /* lent by core; NULL: not lent so far */
	struct frame_levels levels;
	struct frame_recording kept;
	struct frame_fetch *fetch;
};

extern const struct camera_driver exec_camera_driver;

static const char *const readout_modes[] = {"Command", NULL};

/* Keeps the sentence of an error and gives it another code. */
static enum err_code recode(struct err *err, enum err_code code)
{
	if (err != NULL) {
		err->code = code;
	}
	return code;
}

static const char *program_of(const struct exec_camera *c)
{
	const char *slash = strrchr(c->words.argv[0], '/');
	return slash != NULL ? slash + 1 : c->words.argv[0];
}

/* Removes what commands have left in the folder. */
static void empty_folder(const struct exec_camera *c)
{
	DIR *folder = c->folder[0] != '\0' ? opendir(c->folder) : NULL;
	const struct dirent *entry;
	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		unlinkat(dirfd(folder), entry->d_name, 0);
	}
	if (folder != NULL) {
		closedir(folder);
	}
}

/* Makes the folder: in memory where there is such a place, because each frame is written and read once. */
static enum err_code make_folder(struct exec_camera *c, struct err *err)
{
	const char *chosen = getenv("TMPDIR");
	const char *const places[] = {"/dev/shm", chosen != NULL ? chosen : "/tmp", "/tmp"};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		int n = snprintf(c->folder, sizeof c->folder, "%s/focusd-exec.XXXXXX", places[i]);
		if (n > 0 && n < (int)sizeof c->folder && mkdtemp(c->folder) != NULL) {
			return ERR_OK;
		}
	}
	c->folder[0] = '\0';
	return err_set(err, ERR_IO, "there is no room for the frames of the command: neither /dev/shm nor /tmp can be "
		"written");
}

/* Fills the places of the command and of the frame's name. */
static enum err_code fill(struct exec_camera *c, const struct exposure_request *request, struct err *err)
{
	char out[128];
	snprintf(out, sizeof out, "%s/frame-%u", c->folder, c->count);
	const struct exec_values values = {
		.exposure_s = request->duration_s,
		.gain = request->gain,
		.light = request->light,
		.out = out,
	};
	enum err_code code = exec_words(c->port->command, &values, &c->words, err);
	const char *frame = c->port->frame[0] != '\0' ? c->port->frame : "{out}.fits";
	return code != ERR_OK ? code : exec_fill(frame, &values, c->path, sizeof c->path, err);
}

/* Ends what goes on, whichever way it went. */
static void finish(struct exec_camera *c)
{
	exec_child_end(&c->child, END_GRACE_MS);
	frame_fetch_end(c->fetch);
	c->fetch = NULL;
	c->frame = NULL;
	frame_recording_free(&c->kept);
	empty_folder(c);
	c->phase = EXEC_IDLE;
}

static enum err_code exec_start(void *ctx, const struct exposure_request *request, struct err *err)
{
	struct exec_camera *c = ctx;
	if (!(request->duration_s >= 0.0) || request->duration_s > LONGEST_EXPOSURE_S) {
		return err_set(err, ERR_INVALID_VALUE, "an exposure lasts 0 to %g s", LONGEST_EXPOSURE_S);
	}
	if (c->phase != EXEC_IDLE) {
		return err_set(err, ERR_INVALID_OPERATION, "an exposure is going on");
	}
	c->count++;
	enum err_code code = fill(c, request, err);
	if (code == ERR_OK) {
		code = exec_child_start(&c->child, c->words.argv, c->folder, err);
	}
	if (code != ERR_OK) {
		/* The program has gone since the camera was connected; the link to it is what it was. */
		return code == ERR_IO ? recode(err, ERR_REFUSED) : code;
	}
	c->request = *request;
	c->late = false;
	c->start_ms = clock_now_ms(c->host->clock);
	c->deadline_ms = c->start_ms + (int64_t)(DEADLINE_FACTOR * request->duration_s * 1000.0) + DEADLINE_MORE_MS;
	c->phase = EXEC_RUNNING;
	return ERR_OK;
}

static void exec_lend(void *ctx, struct frame *frame)
{
	struct exec_camera *c = ctx;
	c->frame = frame;
}

/* Begins to read the file that the command has written. */
static void begin_fetch(struct exec_camera *c)
{
	const char *slash = strrchr(c->path, '/');
	c->file.path = c->path;
	c->file.name = slash != NULL ? slash + 1 : c->path;
	const struct frame_fetch_job job = {
		.file = &c->file,
		.type = c->file.type,
		.kept = &c->kept,
		.levels = &c->levels,
		.bin = c->request.bin,
		.start_x = c->request.start_x,
		.start_y = c->request.start_y,
		.frame = c->frame,
		.source = c->host->source,
	};
	frame_recording_free(&c->kept);
	c->fetch = frame_fetch_begin(&job);
	c->phase = EXEC_FETCHING;
	if (c->fetch == NULL) {
		err_set(&c->failure, ERR_NOMEM, "no memory to read the frame of %s", program_of(c));
		c->phase = EXEC_FAILED;
	}
}

/* Looks after a command that runs. True when it is over: ERR_OK in c->failure when the frame should be there. */
static bool command_over(struct exec_camera *c)
{
	if (!exec_child_ended(&c->child)) {
		if (!c->late && clock_now_ms(c->host->clock) >= c->deadline_ms) {
			c->late = true;
			exec_child_ask(&c->child);
		}
		return false;
	}
	c->failure = (struct err){.code = ERR_OK};
	if (c->late) {
		err_set(&c->failure, ERR_TIMEOUT, "%s did not end within %d s and was ended; it said last: %.120s",
			program_of(c), (int)((c->deadline_ms - c->start_ms) / 1000),
			c->child.said[0] != '\0' ? c->child.said : "nothing");
	} else if (exec_child_verdict(&c->child, program_of(c), &c->failure) == ERR_OK &&
		   access(c->path, R_OK) != 0) {
		const char *slash = strrchr(c->path, '/');
		err_set(&c->failure, ERR_REFUSED, "%s said that all is well, and wrote no %s; it said last: %.100s",
			program_of(c), slash != NULL ? slash + 1 : c->path,
			c->child.said[0] != '\0' ? c->child.said : "nothing");
	}
	return true;
}

static enum err_code exec_poll(void *ctx, struct camera_reading *out, struct err *err)
{
	(void)err;
	struct exec_camera *c = ctx;
	*out = (struct camera_reading){.next_poll_ms = LOOK_MS};
	if (c->phase == EXEC_IDLE) {
		return ERR_OK;
	}
	out->elapsed_s = fmin((double)(clock_now_ms(c->host->clock) - c->start_ms) / 1000.0, c->request.duration_s);
	if (c->phase == EXEC_RUNNING && command_over(c)) {
		if (c->failure.code == ERR_OK) {
			begin_fetch(c);
		} else {
			c->phase = EXEC_FAILED;
		}
	}
	bool fetched = c->phase == EXEC_FETCHING && frame_fetch_wait(c->fetch, 0);
	if (c->phase == EXEC_FAILED) {
		out->state = CAMERA_DRIVER_READY;
	} else if (out->elapsed_s < c->request.duration_s) {
		/* Also where the command ended sooner, as one that copies a file does: clients count on the time. */
		out->state = CAMERA_DRIVER_EXPOSING;
	} else {
		out->state = fetched ? CAMERA_DRIVER_READY : CAMERA_DRIVER_READING;
	}
	return ERR_OK;
}

static enum err_code exec_abort(void *ctx, struct err *err)
{
	(void)err;
	finish(ctx);
	return ERR_OK;
}

/* Why a frame could not be taken over. A size that has changed is a camera that has changed: it is connected anew. */
static enum err_code explain(struct exec_camera *c, struct err *err)
{
	struct err why = {0};
	enum err_code code = frame_fetch_result(c->fetch, &why);
	struct fits_frame now;
	if (code == ERR_IO && fits_frame_stat(c->path, &now, NULL) == ERR_OK &&
		(now.width != c->file.width || now.height != c->file.height || now.type != c->file.type)) {
		atomic_store(&c->known->known, false);
		return err_set(err, ERR_IO, "the frames of %s are %d x %d px now and were %d x %d: the camera is "
			"looked at anew", program_of(c), (int)now.width, (int)now.height, (int)c->file.width,
			(int)c->file.height);
	}
	err_copy(err, &why);
	return code == ERR_IO ? recode(err, ERR_PROTOCOL) : code;
}

static enum err_code exec_read_lent(void *ctx, struct frame_info *info, struct err *err)
{
	struct exec_camera *c = ctx;
	bool early = clock_now_ms(c->host->clock) - c->start_ms < (int64_t)(c->request.duration_s * 1000.0);
	if (c->phase != EXEC_FAILED && (c->phase != EXEC_FETCHING || early)) {
		return err_set(err, ERR_INVALID_OPERATION, "no exposure is ready");
	}
	while (c->phase == EXEC_FETCHING && !frame_fetch_wait(c->fetch, LOOK_MS)) {
		if (c->host->urgent != NULL && c->host->urgent(c->host->urgent_ctx)) {
			finish(c);
			return err_set(err, ERR_CANCELLED, "something else came first");
		}
	}
	enum err_code code;
	if (c->phase == EXEC_FAILED) {
		code = err_copy(err, &c->failure);
	} else if (frame_fetch_result(c->fetch, NULL) != ERR_OK) {
		code = explain(c, err);
	} else {
		code = ERR_OK;
		*info = (struct frame_info){.width = c->request.num_x, .height = c->request.num_y, .planes = 1,
			.bin = c->request.bin};
		frame_recording_describe(&c->kept, &c->levels, c->file.type, info);
		double tagged = c->kept.frame.exposure_s;
		info->exposure_s = isfinite(tagged) && tagged > 0.0 ? tagged : c->request.duration_s;
	}
	finish(c);
	return code;
}

/* Runs the command once to learn what its frames are. The seam lets an open that waits for its device last longer, as
 * long as it looks at what is urgent. */
static enum err_code learn(struct exec_camera *c, struct err *err)
{
	const struct exposure_request first = {.duration_s = FIRST_EXPOSURE_S, .light = true, .bin = 1, .gain = 1};
	enum err_code code = exec_start(c, &first, err);
	if (code != ERR_OK) {
		return code;
	}
	log_info(c->host->source, "%s takes a first frame, which tells the size", program_of(c));
	while (!command_over(c)) {
		if (c->host->urgent != NULL && c->host->urgent(c->host->urgent_ctx)) {
			return err_set(err, ERR_CANCELLED, "the first frame of %s was not waited for", program_of(c));
		}
		poll(NULL, 0, LOOK_MS);
	}
	if (c->failure.code != ERR_OK) {
		return err_copy(err, &c->failure);
	}
	struct fits_frame facts;
	code = fits_frame_stat(c->path, &facts, err);
	if (code != ERR_OK) {
		return code;
	}
	atomic_store(&c->known->width, facts.width);
	atomic_store(&c->known->height, facts.height);
	atomic_store(&c->known->bayer_x, facts.bayer_x);
	atomic_store(&c->known->bayer_y, facts.bayer_y);
	atomic_store(&c->known->type, (int)facts.type);
	atomic_store(&c->known->mosaic, (int)facts.mosaic);
	atomic_store(&c->known->full_scale_adu, facts.full_scale_adu);
	atomic_store(&c->known->pixel_um, facts.pixel_um);
	atomic_store(&c->known->known, true);
	finish(c);
	return ERR_OK;
}

static void fill_caps(struct exec_camera *c, struct camera_caps *caps)
{
	const struct exec_known *known = c->known;
	double full = known->full_scale_adu;
	c->file = (struct frame_file){
		.width = known->width, .height = known->height, .type = (enum image_type)known->type};
	caps->width = c->file.width;
	caps->height = c->file.height;
	caps->max_bin = 4;
	caps->can_abort = true;
	caps->pixel_um = c->host->pixel_size_um > 0.0 ? c->host->pixel_size_um : known->pixel_um;
	caps->sensor_type = known->mosaic == IMAGE_BAYER ? 2 : 0;
	caps->bayer_offset_x = known->bayer_x;
	caps->bayer_offset_y = known->bayer_y;
	snprintf(caps->identity, sizeof caps->identity, "Command %.50s", program_of(c));
	caps->exposure_max_s = LONGEST_EXPOSURE_S;
	caps->exposure_resolution_s = 0.001;
	caps->frame_type = c->file.type;
	caps->max_adu = frame_type_most(c->file.type, full);
	caps->electrons_per_adu = NAN;
	caps->full_well_e = NAN;
	caps->has_gain = exec_has_place(c->port->command, "gain");
	caps->gain_max = GAIN_MAX;
	caps->gain_default = 1;
	caps->has_shutter = exec_has_place(c->port->command, "light");
	caps->readout_modes = readout_modes;
}

static enum err_code exec_open(void *ctx, const struct camera_port *port, const struct driver_host *host,
	struct camera_caps *caps, struct err *err)
{
	struct exec_camera *c = ctx;
	char key[64];
	c->host = host;
	c->port = port;
	c->child.output = -1;
	snprintf(key, sizeof key, "exec camera %d", host->number);
	c->known = host->share(host->share_ctx, key, sizeof *c->known);
	enum err_code code = c->known != NULL ? exec_look(port, err) : err_set(err, ERR_NOMEM, "out of memory");
	if (code == ERR_OK) {
		code = make_folder(c, err);
	}
	const struct exposure_request any = {.bin = 1};
	if (code == ERR_OK) {
		code = fill(c, &any, err);
	}
	if (code == ERR_OK && !atomic_load(&c->known->known)) {
		code = learn(c, err);
	}
	if (code == ERR_OK) {
		*caps = (struct camera_caps){0};
		fill_caps(c, caps);
	}
	return code;
}

static void exec_close(void *ctx)
{
	struct exec_camera *c = ctx;
	finish(c);
	if (c->folder[0] != '\0') {
		rmdir(c->folder);
		c->folder[0] = '\0';
	}
}

const struct camera_driver exec_camera_driver = {
	.name = "exec",
	.title = "Camera by command",
	.ctx_size = sizeof(struct exec_camera),
	.uses_command = true,
	.look_command = exec_look,
	.service_needs = exec_service_needs,
	.open = exec_open,
	.close = exec_close,
	.start_exposure = exec_start,
	.poll = exec_poll,
	.abort = exec_abort,
	.lend_frame = exec_lend,
	.read_lent = exec_read_lent,
};
