/* SPDX-License-Identifier: MIT */
/* The focuser and the camera of the core in memory. */
#include "fake_core.h"

#include "json.h"

/* ---- focuser ---- */

void focuser_state(struct device *dev, struct focuser_state *out)
{
	fake_lock();
	*out = dev->focuser;
	fake_unlock();
}

void focuser_calibration(struct device *dev, struct focuser_calibration *out)
{
	fake_lock();
	*out = dev->calibration;
	fake_unlock();
}

enum err_code focuser_calibrate(struct device *dev, struct err *err)
{
	enum err_code code = ERR_OK;
	fake_lock();
	if (dev->calibration.ongoing != 0) {
		code = err_set(err, ERR_INVALID_OPERATION, "It calibrates.");
	} else {
		dev->calibration.ongoing = (uint64_t)++dev->calibrations;
	}
	fake_unlock();
	return code;
}

enum err_code focuser_calibrate_abort(struct device *dev, struct err *err)
{
	(void)err;
	fake_lock();
	dev->calibration.ongoing = 0;
	dev->calibration_aborts++;
	fake_unlock();
	return ERR_OK;
}

void focuser_calibration_json(const struct focuser_calibration *c, struct json_writer *w)
{
	json_object(w);
	json_key_int(w, "step", c->step);
	json_end_object(w);
}

enum err_code focuser_move(struct device *dev, int32_t target, struct err *err)
{
	(void)err;
	fake_lock();
	dev->moves++;
	dev->target = target;
	fake_unlock();
	return ERR_OK;
}

enum err_code focuser_halt(struct device *dev, struct err *err)
{
	(void)err;
	fake_lock();
	dev->halts++;
	fake_unlock();
	return ERR_OK;
}

enum err_code focuser_is_moving(struct device *dev, bool *out, struct err *err)
{
	(void)err;
	fake_lock();
	*out = dev->focuser.is_moving;
	fake_unlock();
	return ERR_OK;
}

enum err_code focuser_position(struct device *dev, int32_t *out, struct err *err)
{
	(void)err;
	fake_lock();
	*out = dev->focuser.position;
	fake_unlock();
	return ERR_OK;
}

enum err_code focuser_tell_temperature(struct device *dev, double celsius, struct err *err)
{
	(void)err;
	fake_lock();
	dev->focuser.temperature_valid = true;
	dev->focuser.temperature_c = celsius;
	fake_unlock();
	return ERR_OK;
}

enum err_code focuser_temperature(struct device *dev, double *out, struct err *err)
{
	struct focuser_state state;
	focuser_state(dev, &state);
	if (!state.temperature_valid) {
		return err_set(err, ERR_VALUE_NOT_SET, "There is no reading just now.");
	}
	*out = state.temperature_c;
	return ERR_OK;
}

enum err_code focuser_set_tempcomp(struct device *dev, bool on, struct err *err)
{
	(void)err;
	fake_lock();
	dev->focuser.tempcomp = on;
	fake_unlock();
	return ERR_OK;
}

/* Over at once; what it was told stands in the state. */
enum err_code focuser_set_position(struct device *dev, enum focuser_set_how how, int32_t position,
	uint64_t *ticket, struct err *err)
{
	if (position < 0) {
		return err_set(err, ERR_INVALID_VALUE, "%d is outside the range.", (int)position);
	}
	fake_lock();
	if (how == FOCUSER_SET_RESTORE) {
		position = dev->focuser.remembered;
	}
	dev->focuser.position = how == FOCUSER_SET_KEEP ? dev->focuser.position : position;
	dev->focuser.trust = POSITION_KNOWN;
	fake_unlock();
	*ticket = 1;
	return ERR_OK;
}

bool focuser_set_position_done(struct device *dev, uint64_t ticket, enum err_code *result,
	struct err *err)
{
	(void)dev;
	(void)err;
	*result = ERR_OK;
	return ticket == 1;
}

const char *focuser_trust_name(enum focuser_trust trust)
{
	static const char *const names[] = {"unknown", "known", "shifted"};
	return names[trust];
}

/* ---- camera ---- */

void camera_state(struct device *dev, struct camera_state *out)
{
	fake_lock();
	*out = dev->camera;
	fake_unlock();
}

enum err_code camera_set(
	struct device *dev, enum camera_setting what, int32_t value, struct err *err)
{
	if (what == CAMERA_SET_BIN && (value < 1 || value > 2)) {
		return err_set(err, ERR_INVALID_VALUE, "BinX must be 1 or 2, not %d.", value);
	}
	fake_lock();
	switch (what) {
	case CAMERA_SET_BIN:
		dev->camera.setup.bin = value;
		break;
	case CAMERA_SET_START_X:
		dev->camera.setup.start_x = value;
		break;
	case CAMERA_SET_START_Y:
		dev->camera.setup.start_y = value;
		break;
	case CAMERA_SET_NUM_X:
		dev->camera.setup.num_x = value;
		break;
	case CAMERA_SET_NUM_Y:
		dev->camera.setup.num_y = value;
		break;
	case CAMERA_SET_GAIN:
		dev->camera.setup.gain = value;
		break;
	case CAMERA_SET_OFFSET:
		dev->camera.setup.offset = value;
		break;
	case CAMERA_SET_READOUT_MODE:
		dev->camera.setup.readout_mode = value;
		break;
	case CAMERA_SET_FAST_READOUT:
		dev->camera.setup.fast_readout = value != 0;
		break;
	case CAMERA_SET_COOLER:
		dev->camera.cooler_on = value != 0;
		break;
	}
	fake_unlock();
	return ERR_OK;
}

enum err_code camera_set_point(struct device *dev, double celsius, struct err *err)
{
	if (!(celsius >= -40 && celsius <= 30)) {
		return err_set(err, ERR_INVALID_VALUE, "The set point must be -40 to 30 C.");
	}
	fake_lock();
	dev->camera.set_point_c = celsius;
	fake_unlock();
	return ERR_OK;
}

enum err_code camera_pulse_guide(
	struct device *dev, int32_t direction, int32_t duration_ms, struct err *err)
{
	if (direction < 0 || direction > 3 || duration_ms < 0) {
		return err_set(err, ERR_INVALID_VALUE, "No such pulse.");
	}
	fake_lock();
	dev->camera.guiding = duration_ms > 0;
	fake_unlock();
	return ERR_OK;
}

enum err_code camera_guiding(struct device *dev, bool *out, struct err *err)
{
	(void)err;
	fake_lock();
	*out = dev->camera.guiding;
	fake_unlock();
	return ERR_OK;
}

enum err_code camera_start_exposure(
	struct device *dev, double duration_s, bool light, struct err *err)
{
	(void)light;
	if (duration_s < 0) {
		return err_set(err, ERR_INVALID_VALUE, "Duration must not be negative.");
	}
	enum err_code code = ERR_OK;
	fake_lock();
	if (dev->camera.ongoing_exposure != 0) {
		code = err_set(err, ERR_INVALID_OPERATION, "It exposes.");
	} else {
		dev->camera.ongoing_exposure = (uint64_t)++dev->starts;
	}
	fake_unlock();
	return code;
}

enum err_code camera_abort(struct device *dev, struct err *err)
{
	(void)dev;
	(void)err;
	return ERR_OK;
}

enum err_code camera_stop(struct device *dev, struct err *err)
{
	(void)dev;
	(void)err;
	return ERR_OK;
}

bool camera_is_new_to(struct device *dev, const struct client *client)
{
	(void)dev;
	(void)client;
	return false;
}

enum err_code camera_image_ready(struct device *dev, bool *out, struct err *err)
{
	(void)err;
	fake_lock();
	*out = dev->camera.image_ready;
	fake_unlock();
	return ERR_OK;
}

enum err_code camera_frame(struct device *dev, struct frame **out, struct err *err)
{
	fake_lock();
	struct frame *frame = dev->frame != NULL ? frame_ref(dev->frame) : NULL;
	fake_unlock();
	if (frame == NULL) {
		return err_set(err, ERR_INVALID_OPERATION, "There is no picture.");
	}
	*out = frame;
	return ERR_OK;
}
