/* SPDX-License-Identifier: MIT */
/* The session of guided focusing as a job: it asks the plan what it wishes, tells the person, waits until the focuser
 * stands there, exposes, measures, and tells the plan.  There is no arithmetic of focusing here. */
#include "guided.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "autofocus_private.h"
#include "focuser.h"
#include "guided_words.h"
#include "json.h"

enum phase { PHASE_MEASURE, PHASE_TURN, PHASE_OVER };
static const char *const phase_names[] = {"measure", "turn", "over"};

/* One session; only the thread of the jobs uses it. */
struct session {
	uint64_t number;
	const char *state;
	enum phase phase;
	char say[GUIDED_SAY];
	char reason[200];
	bool turn;               /* there is a way to go */
	struct guided_way way;
	struct focuser_state focuser;
	/* The wish that the person has gone the way of, and where the focuser has stood since. */
	bool gone;
	int32_t gone_to, gone_via, stands;
	int exposures;
	double hfr_px;           /* of the newest frame; NAN */
	double exposure_s;
	int bin, gain;
};

/* ---- what is told ---- */

static void key_steps(struct json_writer *w, const char *key, bool known, int64_t value)
{
	if (known) {
		json_key_int(w, key, value);
	} else {
		json_key_null(w, key);
	}
}

static void turn_json(struct json_writer *w, const struct session *s)
{
	const struct guided_way *way = &s->way;
	/* The first leg, which is the next thing to do. */
	int64_t steps = (int64_t)way->via - way->from;
	int64_t length = steps < 0 ? -steps : steps;
	json_key_string(w, "turn", s->turn ? (steps > 0 ? "out" : "in") : NULL);
	key_steps(w, "steps", s->turn, length);
	json_key_double(w, "turns", s->turn && way->steps_per_turn > 0 ? (double)length / way->steps_per_turn : NAN);
	key_steps(w, "via", s->turn && way->via != way->to, way->via);
	key_steps(w, "target", s->turn, way->to);
}

static void points_json(struct json_writer *w, const struct af_plan *plan)
{
	json_key(w, "points");
	json_array(w);
	for (size_t i = 0; i < plan->point_count; i++) {
		const struct af_plan_point *p = &plan->points[i];
		bool seen = p->curve.stars > 0;
		json_object(w);
		json_key_double(w, "position", p->curve.position);
		json_key_double(w, "hfr_px", seen ? p->curve.hfr_px : NAN);
		json_key_double(w, "error_px", seen ? p->curve.error_px : NAN);
		json_key_int(w, "stars", p->curve.stars);
		json_key_bool(w, "used", p->curve.used && !p->validation);
		json_key_string(w, "why", p->validation ? "validation" : curve_why_name(p->curve.why));
		json_end_object(w);
	}
	json_end_array(w);
}

static void session_json(const struct session *s, const struct af_plan *plan, struct buf *out)
{
	struct curve_result live;
	const struct curve_result *fit = NULL;
	if (plan->phase == AF_PHASE_VALIDATE || plan->phase == AF_PHASE_OVER) {
		fit = plan->have_fit ? &plan->fit : NULL;
	} else if (af_plan_live_fit(plan, &live)) {
		fit = &live;
	}
	bool known = fit != NULL && fit->accepted;
	struct json_writer w;
	json_begin(&w, out);
	json_object(&w);
	json_key_int(&w, "session", (int64_t)s->number);
	json_key_string(&w, "state", s->state);
	json_key_string(&w, "phase", phase_names[s->phase]);
	json_key_string(&w, "say", s->say);
	turn_json(&w, s);
	key_steps(&w, "position", s->focuser.position_valid, s->focuser.position);
	json_key_int(&w, "exposures", s->exposures);
	json_key_double(&w, "hfr_px", s->hfr_px);
	json_key_double(&w, "hfr_predicted_px", plan->hfr_predicted_px);
	json_key_double(&w, "best_position", known ? fit->best_position : NAN);
	json_key_double(&w, "uncertainty_steps", known ? fit->uncertainty_steps : NAN);
	json_key_string(&w, "reason", s->reason[0] != '\0' ? s->reason : NULL);
	points_json(&w, plan);
	json_end_object(&w);
}

/* Makes what the session says known to clients. */
static void publish(struct autofocus *af, const struct session *s)
{
	buf_clear(&af->guided_fresh);
	session_json(s, &af->plan, &af->guided_fresh);
	pthread_mutex_lock(&af->jobs.lock);
	struct buf text = af->guided_text;
	af->guided_text = af->guided_fresh;
	af->guided_fresh = text;
	jobs_changed(&af->jobs);
	pthread_mutex_unlock(&af->jobs.lock);
}

/* ---- the person's part ---- */

static int last_leg_sign(const struct focuser_state *f)
{
	return f->approach == MOVES_APPROACH_OUT ? 1 : -1;
}

static bool place_known(const struct focuser_state *f)
{
	return f->link == LINK_UP && f->position_valid;
}

/* Says what is to be done from where the focuser stands. */
static void say_turn(const struct af_plan *plan, struct session *s)
{
	const struct focuser_state *f = &s->focuser;
	s->phase = PHASE_TURN;
	s->turn = place_known(f);
	if (!s->turn) {
		snprintf(s->say, sizeof s->say, "Nobody knows where the focuser stands: connect it, and say where it "
			"stands.");
		return;
	}
	s->way = guided_way_of(f->position, plan->wish.position, plan->wish.via, last_leg_sign(f), f->backlash_steps,
		f->min_step, f->max_step, f->steps_per_turn);
	guided_say_way(&s->way, s->say, sizeof s->say);
}

/* Waits for the next change of the focuser, or for the end of the session; seen is the version that was looked at. */
static void wait_for_change(struct autofocus *af, uint64_t seen)
{
	struct device *dev = af->focuser;
	pthread_mutex_lock(&dev->lock);
	while (dev->version == seen && !atomic_load(&af->jobs.cancel)) {
		pthread_cond_wait(&dev->changed, &dev->lock);
	}
	pthread_mutex_unlock(&dev->lock);
}

/* What was told last, and of which state of the focuser. */
struct told {
	bool any, turn;
	int32_t from;
	uint64_t said;          /* SetPositions so far */
	int64_t way_steps;      /* of the way that was told first; the person may come there in several turns */
};

/* Whether the person has done something since: the focuser stands elsewhere, or it was said where it stands. */
static bool has_acted(const struct told *told, const struct focuser_state *f)
{
	return told->any && (f->position != told->from || f->set_positions != told->said);
}

/* Whether a frame can be taken before anything was told: another one of the same wish, or one where the focuser stands
 * anyway.  A place that is wished by a way that takes up backlash counts only when the person has gone that way. */
static bool stands_there(const struct session *s, const struct af_wish *wish)
{
	bool again = s->gone && s->gone_to == wish->position && s->gone_via == wish->via &&
		     s->focuser.position == s->stands;
	return again || (s->focuser.position == wish->position && wish->via == wish->position);
}

static void tell(struct autofocus *af, struct session *s, struct told *told)
{
	const struct focuser_state *f = &s->focuser;
	say_turn(&af->plan, s);
	if (s->turn && told->way_steps == 0) {
		told->way_steps = guided_way_steps(&s->way);
	}
	told->any = true;
	told->turn = s->turn;
	told->from = f->position;
	told->said = f->set_positions;
	publish(af, s);
}

/* Tells the person where to turn until the focuser rests there. False when the session is to end. */
static bool person_turns(struct autofocus *af, struct session *s)
{
	const struct af_wish *wish = &af->plan.wish;
	struct told told = {.any = false};
	while (!atomic_load(&af->jobs.cancel)) {
		uint64_t version = device_version(af->focuser);
		focuser_state(af->focuser, &s->focuser);
		const struct focuser_state *f = &s->focuser;
		bool acted = has_acted(&told, f);
		bool is_there = told.any ? acted && guided_is_there(f->position, wish->position, told.way_steps)
					 : stands_there(s, wish);
		if (place_known(f) && !f->is_moving && is_there) {
			s->gone = true;
			s->gone_to = wish->position;
			s->gone_via = wish->via;
			s->stands = f->position;
			if (told.any) {
				af->await.begun_after_ms = clock_now_ms(clock_real());
			}
			return true;
		}
		if (!f->is_moving && (!told.any || acted || told.turn != place_known(f))) {
			tell(af, s, &told);
		}
		wait_for_change(af, version);
	}
	return false;
}

/* ---- the camera's part ---- */

/* Exposes where the focuser stands and tells the plan what the frame shows. A frame during which somebody turned the
 * knob shows no place, and is left out. */
static enum err_code take_sample(struct autofocus *af, struct session *s, struct err *err)
{
	struct af_plan *plan = &af->plan;
	s->phase = PHASE_MEASURE;
	s->turn = false;
	snprintf(s->say, sizeof s->say, "Leave the knob alone: %s", camera_watches(af->camera)
		? "a frame is awaited that is exposed from now on." : "the camera exposes.");
	publish(af, s);
	int32_t position = s->focuser.position;
	struct seen seen;
	enum err_code code = autofocus_expose(af, MEASURE_LEASE, s->exposure_s * plan->wish.exposure_factor, s->bin,
		s->gain, position, &seen, err);
	if (code != ERR_OK) {
		return code;
	}
	s->exposures++;
	focuser_state(af->focuser, &s->focuser);
	if (s->focuser.is_moving || (s->focuser.position_valid && s->focuser.position != position)) {
		log_info(af->focuser->info.source, "guided: turned during the exposure at %d: it does not count",
			(int)position);
		af->await.begun_after_ms = clock_now_ms(clock_real());
		return ERR_OK;
	}
	s->hfr_px = seen.measurement.stars > 0 ? seen.measurement.hfr_px : NAN;
	const struct af_observation observation = {
		/* A recording is of where it was made.  What the header of a frame that has just come says is another
		 * program's numbering, and the person's word counts. */
		.position = seen.info.recording_id != 0 && seen.info.position_known ? seen.info.position_steps
										    : position,
		.stars = seen.measurement.trailed ? 0 : seen.measurement.stars,
		.hfr_px = seen.measurement.hfr_px,
		.error_px = seen.measurement.hfr_error_px,
		.flux_ratio = autofocus_flux_ratio(af, &seen),
		.duration_s = seen.info.exposure_s,
		.trailed = seen.measurement.trailed,
		.rings = seen.measurement.donut,
		.recording_id = seen.info.recording_id,
	};
	log_info(af->focuser->info.source, "guided: position=%.0f hfr_px=%.3f stars=%d", observation.position,
		observation.hfr_px, observation.stars);
	af_plan_tell(plan, &observation);
	return ERR_OK;
}

/* ---- the job ---- */

static void begin(struct autofocus *af, struct session *s)
{
	struct camera_state camera;
	camera_state(af->camera, &camera);
	pthread_mutex_lock(&af->jobs.lock);
	const struct config_autofocus *cfg = &af->config->autofocus;
	*s = (struct session){
		.number = af->guided_session,
		.state = "running",
		.hfr_px = NAN,
		.exposure_s = cfg->exposure_s,
		.bin = autofocus_choose_binning(af, &af->params, af->camera->info.number, &camera.caps),
		.gain = cfg->gain,
	};
	pthread_mutex_unlock(&af->jobs.lock);
	struct af_plan_setup setup;
	autofocus_fill_setup(af, &setup, s->bin, &camera.caps);
	af->reference_count = 0;
	af->await = (struct camera_await){.begun_after_ms = clock_now_ms(clock_real())};
	af_plan_init(&af->plan, &setup);
	focuser_state(af->focuser, &s->focuser);
}

/* Says how the session ended. */
static void end(struct autofocus *af, struct session *s, enum err_code code, const struct err *why)
{
	const struct af_plan *plan = &af->plan;
	s->phase = PHASE_OVER;
	s->turn = false;
	if (atomic_load(&af->jobs.cancel) || code == ERR_CANCELLED) {
		s->state = "ended";
		snprintf(s->say, sizeof s->say, "The session was ended. Nothing has moved.");
	} else if (code != ERR_OK) {
		s->state = "failed";
		snprintf(s->reason, sizeof s->reason, "the camera failed: %.160s", why->text);
		snprintf(s->say, sizeof s->say, "Stop: the camera failed.");
	} else if (plan->wish.want == AF_WANT_SUCCESS) {
		s->state = "succeeded";
		snprintf(s->say, sizeof s->say, "Stop: it is in focus at %d. Leave the knob there.",
			(int)s->focuser.position);
	} else {
		s->state = "failed";
		snprintf(s->reason, sizeof s->reason, "%s", plan->wish.reason);
		snprintf(s->say, sizeof s->say, "Stop: no focus was found. It began at %.0f.",
			plan->setup.start_position);
	}
	log_info(af->focuser->info.source, "guided: %s after %d exposures%s%s", s->state, s->exposures,
		s->reason[0] != '\0' ? ": " : "", s->reason);
}

static void run(void *owner)
{
	struct autofocus *af = owner;
	struct session s;
	struct err why = {.code = ERR_OK};
	enum err_code code = ERR_OK;
	begin(af, &s);
	bool wanted = true;
	while (code == ERR_OK && wanted && person_turns(af, &s)) {
		code = take_sample(af, &s, &why);
		wanted = af->plan.wish.want == AF_WANT_SAMPLE || af->plan.wish.want == AF_WANT_FINAL;
	}
	end(af, &s, code, &why);
	buf_clear(&af->guided_fresh);
	session_json(&s, &af->plan, &af->guided_fresh);
}

static void over(void *owner)
{
	struct autofocus *af = owner;
	struct buf text = af->guided_text;
	af->guided_text = af->guided_fresh;
	af->guided_fresh = text;
	af->camera = NULL;
}

static const struct job_kind guided_job = {
	.name = "guided focusing",
	.run = run,
	.over = over,
};

/* ---- what clients call ---- */

static enum err_code start_locked(struct autofocus *af, struct err *err)
{
	struct device *camera = NULL;
	struct camera_state state = {0};
	enum err_code code = jobs_need_idle(&af->jobs, err);
	if (code == ERR_OK) {
		autofocus_take_settings(af);
		code = autofocus_need_up(af->focuser, err);
	}
	if (code == ERR_OK && !isfinite(autofocus_where(af))) {
		code = err_set(err, ERR_VALUE_NOT_SET, "nobody knows where %s stands: say it first, by SetPosition",
			af->focuser->info.name);
	}
	if (code == ERR_OK) {
		code = autofocus_find_camera(af, -1, &camera, &state, err);
	}
	struct autofocus_params params;
	autofocus_params_init(&params);
	if (code == ERR_OK) {
		code = autofocus_check_params(&params, &state.caps, err);
	}
	if (code == ERR_OK) {
		code = jobs_start(&af->jobs, &guided_job, MEASURE_LEASE, camera, err);
	}
	if (code == ERR_OK) {
		/* The thread reads these only after the lock was given back. */
		af->params = params;
		af->camera = camera;
		af->guided_session++;
		buf_clear(&af->guided_text);
		buf_printf(&af->guided_text, "{\"session\":%" PRIu64 ",\"state\":\"running\",\"phase\":\"measure\","
			"\"say\":\"It begins.\"}", af->guided_session);
	}
	return code;
}

enum err_code guided_start(struct autofocus *af, uint64_t *session, struct err *err)
{
	pthread_mutex_lock(&af->jobs.lock);
	enum err_code code = start_locked(af, err);
	*session = af->guided_session;
	pthread_mutex_unlock(&af->jobs.lock);
	return code;
}

void guided_end(struct autofocus *af)
{
	jobs_abort(&af->jobs, &guided_job);
}

uint64_t guided_ongoing(struct autofocus *af)
{
	pthread_mutex_lock(&af->jobs.lock);
	bool goes_on = af->jobs.kind == &guided_job && !atomic_load(&af->jobs.cancel);
	uint64_t session = goes_on ? af->guided_session : 0;
	pthread_mutex_unlock(&af->jobs.lock);
	return session;
}

void guided_json(struct autofocus *af, struct buf *out)
{
	pthread_mutex_lock(&af->jobs.lock);
	if (af->guided_session == 0) {
		buf_puts(out, "{\"session\":0,\"state\":\"none\"}");
	} else if (af->guided_text.failed) {
		out->failed = true;
	} else {
		buf_add(out, buf_text(&af->guided_text), af->guided_text.len);
	}
	pthread_mutex_unlock(&af->jobs.lock);
}
