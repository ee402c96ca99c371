/* SPDX-License-Identifier: MIT */
/* The inside of autofocus, shared by autofocus.c (what clients call), autofocus_run.c (the run),
 * autofocus_measure.c (MeasureStars), guided.c (guided focusing) and autofocus_frame.c (one exposure, measured). */
#ifndef FOCUSD_AUTOFOCUS_PRIVATE_H
#define FOCUSD_AUTOFOCUS_PRIVATE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "af_plan.h"
#include "autofocus.h"
#include "camera.h"
#include "field.h"
#include "jobs.h"
#include "measure.h"
#include "measurement_json.h"

#define AUTOFOCUS_MAX_STARS 512

/* How a run ended. */
struct autofocus_end {
	enum run_state state;
	struct err why; /* when it has not succeeded */
	double final_position, temperature_c; /* NAN unknown */
	double elapsed_s;
};

struct autofocus {
	struct job_needs needs;
	/* The settings of the running or last job, taken when it was accepted.  Replaced under the lock while no job
	 * runs, so the thread reads it without. */
	const struct config *config;
	int number;
	struct device *focuser;
	struct device *camera; /* of the running job */

	struct jobs jobs; /* the thread of the jobs; its lock guards the rest, except for what is the thread's own */
	struct autofocus_params params;
	struct run *run;       /* the newest run; NULL before the first */
	uint64_t ended[4];     /* runs that ended since the start, by enum run_state */

	/* MeasureStars. */
	uint64_t measure_job;  /* the newest measurement */
	uint64_t measure_done; /* the newest measurement that is over */
	bool measure_own;      /* with the focuser's own camera */
	double measure_exposure_s;
	int measure_binning, measure_gain;
	struct err measure_error;
	struct buf measure_text;

	/* Guided focusing (guided.h). */
	uint64_t guided_session; /* the newest session; 0 before the first */
	struct buf guided_text;  /* what is told of it, JSON */

	/* Only the thread of the jobs uses these. */
	struct camera_await await; /* of a camera that watches: which frame autofocus_expose() waits for */
	struct buf guided_fresh; /* what is going to be told */
	struct autofocus_end end;
	struct err fresh_error; /* of the measurement that is going on */
	struct buf fresh_text;
	struct af_plan_setup told; /* what the plan was told at the start of the job */
	struct af_plan plan;
	struct star stars[AUTOFOCUS_MAX_STARS];
	struct star reference[AUTOFOCUS_MAX_STARS];
	size_t reference_count;
	double reference_exposure_s;
	int frames_kept;         /* of this run, on the disk */
	bool keep_no_more;       /* one could not be written, and the log said why */
	struct field_sweep *field; /* of the run that is going on, owned; NULL without memory */
};

/* What one exposure showed; its stars are in af->stars. */
struct seen {
	struct measurement measurement;
	struct frame_info info;
	int64_t exposed_ms; /* real time that the camera took, read-out included */
	size_t listed;
};

/* The two halves of autofocus_expose(): the frame, which the caller hands to the second half, which gives it back. */
enum err_code autofocus_take_frame(struct autofocus *af, uint64_t lease, double exposure_s, int bin, int gain,
	double focuser_position, struct seen *out, struct frame **frame, struct err *err);
enum err_code autofocus_look(struct autofocus *af, struct frame *frame, struct seen *out, struct err *err);

/* Exposes for the holder of the lease and measures the frame, or, with a camera that watches, waits for the frame that
 * af->await says; blocks; only the thread of the jobs may call.
 * ERR_CANCELLED, the camera's error, ERR_NOMEM, or ERR_CAMERA for a frame that cannot be measured. */
enum err_code autofocus_expose(struct autofocus *af, uint64_t lease, double exposure_s, int bin, int gain,
	double focuser_position, struct seen *out, struct err *err);

/* The light per second of the stars that this frame has in common with the run's first frame, as a ratio to that frame;
 * NAN unknown. */
double autofocus_flux_ratio(struct autofocus *af, const struct seen *seen);

/* What earlier runs taught of these devices and their telescope at this binning; see store_history().  Waits for the
 * store for at most a second; only the thread of the jobs may call. */
bool autofocus_history(struct autofocus *af, int bin, const struct camera_caps *caps, struct store_history *out);

/* What the stars of a run teach of the field (autofocus_field.c): begun before its first frame; told of each frame
 * whose stars are in af->stars, and where it was exposed; at the end fitted, when the plan has an accepted curve, and
 * put into the run object.  Only the thread of the jobs may call. */
void autofocus_field_begin(struct autofocus *af);
void autofocus_field_tell(struct autofocus *af, double position, const struct seen *seen);
void autofocus_field_end(struct autofocus *af, const struct af_plan_setup *setup);

/* What the frame whose stars are in af->stars says of the focus error, by what earlier runs of this focuser, camera and
 * binning have learned; false when they have learned nothing.  Waits for the store for at most a second; only the
 * thread of the jobs may call. */
bool autofocus_field_sense(struct autofocus *af, int bin, const struct seen *seen, struct measurement_focus *out);

/* Tells the plan, with the run's first frame, what the field says of the focus error, so that the search begins on the
 * right side. */
void autofocus_field_first(struct autofocus *af, int bin, const struct seen *seen, struct af_observation *out);

/* Two kinds of job; guided.c has the third.  A run leases focuser and camera and has the number of its run object; a
 * measurement leases the camera alone. */
extern const struct job_kind autofocus_run_job;
extern const struct job_kind autofocus_measure_job;

/* The number of the lease of every measurement and guided session; no run has it. */
#define MEASURE_LEASE UINT64_MAX

/* Fills what a plan is told at its start, from settings, optics, history and where the focuser stands; bin is that of
 * the frames.  Waits for the store for at most a second; only the thread of the jobs may call. */
void autofocus_fill_setup(struct autofocus *af, struct af_plan_setup *setup, int bin, const struct camera_caps *caps);

/* Shows in the run object what the plan knows, after this many exposures and seconds, of which so many (real ones) went
 * to neither camera nor motor (autofocus_show.c). */
void autofocus_publish_plan(struct autofocus *af, int exposures, double elapsed_s, double overhead_s);

/* Moves for the holder of the lease and waits for the end of the move.  The way back is not cancellable: only a halt or
 * a lost link ends it (autofocus_end.c). */
enum err_code autofocus_go_to(struct autofocus *af, uint64_t run, int32_t position, bool cancellable, struct err *err);
/* Waits for the end of a move that was begun for the holder of the lease. */
enum err_code autofocus_wait_move(struct autofocus *af, uint64_t op, bool cancellable, struct err *err);
/* Brings the focuser where the rules say, for a run that ended with this code and reason, and tells how that went.
 * moved: the run has moved the focuser; else it stands where the run began, and nothing moves. */
struct autofocus_end autofocus_bring_to_end(struct autofocus *af, uint64_t id, enum err_code code,
	const struct err *why, double start_position, bool moved);
void autofocus_say_doubt(struct device *dev, struct autofocus_end *end);
/* Fills the end of the run object. */
void autofocus_set_end(struct run *run, const struct autofocus_end *end);
/* Keeps the run, with this end, before it is said to be over, so that whoever reads that finds it in the history. */
void autofocus_keep_run(struct autofocus *af, uint64_t id, const struct autofocus_end *end);
void autofocus_log_end(struct autofocus *af, uint64_t id, const struct autofocus_end *end);

/* The filter that is in, as the parameters of the job or the settings say; "" unknown. */
const char *autofocus_filter(const struct autofocus *af);

/* ERR_OK when the link of the device is up, else why it is not. */
enum err_code autofocus_need_up(struct device *dev, struct err *err);

/* Makes the settings of this moment those of the next job. The caller holds the lock, and no job runs. */
void autofocus_take_settings(struct autofocus *af);
/* Finds the camera, by number or (-1) the one configured for the focuser, and copies its state; ERR_INVALID_VALUE when
 * there is none, or the reason why its link is not up. The caller holds the lock. */
enum err_code autofocus_find_camera(struct autofocus *af, int wanted, struct device **camera,
	struct camera_state *state, struct err *err);
/* Whether the camera can do what was asked for; ERR_INVALID_VALUE with a sentence. */
enum err_code autofocus_check_params(const struct autofocus_params *p, const struct camera_caps *caps,
	struct err *err);
/* Chooses the binning: as asked for, else as configured, else what suits the blur; at most the camera's.  The settings
 * of the job have to be taken. */
int autofocus_choose_binning(const struct autofocus *af, const struct autofocus_params *p, int camera,
	const struct camera_caps *caps);
/* The telescope of this camera: as configured, else as the camera knows it; NAN in it where nobody does. */
const struct optics_config *autofocus_optics(const struct autofocus *af, int camera, const struct camera_caps *caps);

/* Where the motor says it stands, steps; NAN when unknown. */
double autofocus_where(struct autofocus *af);

static inline double finite_or(double value, double otherwise)
{
	return isfinite(value) ? value : otherwise;
}

#endif
