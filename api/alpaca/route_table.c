/* SPDX-License-Identifier: MIT */
/* Every member of IFocuserV4 and ICameraV4 with its parameters, one row each. */
#include "alpaca_call.h"
#include "camera.h"

#define NO_COMMANDS "This device has no raw commands: use the members and actions of the interface."
#define NO_STACKING "This camera does not stack exposures itself."
#define NO_GAIN_NAMES "Gain is a number between GainMin and GainMax; there is no list of names."
#define NO_OFFSET_NAMES                                                                            \
	"Offset is a number between OffsetMin and OffsetMax; there is no list of names."

#define NO_GAIN "This camera has no gain to set."
#define NO_OFFSET "This camera has no offset to set."
#define NO_FAST_READOUT "This camera has no fast readout; see its readout modes."
#define NO_COOLER "This camera has no cooler that focusd can control."
#define NO_ELECTRONS "This camera does not know its electrons per ADU."
#define NO_FULL_WELL "This camera does not know its full well capacity."
#define NO_PIXEL_SIZE "This camera does not know its pixel size."
#define NO_MAX_ADU "This camera does not know its highest pixel value."

#define NO_PARAMS {NULL, PARAM_NONE, false}
#define READ(kinds, name, type, more_flags, function)                                                                  \
	{.devices = kinds, .member = name, .verb = HTTP_GET, .value = type, .flags = more_flags, .handler = function}
#define NO_READ(kinds, name, type, why)                                                                                \
	{.devices = kinds, .member = name, .verb = HTTP_GET, .value = type, .absent = why}
#define WRITE(kinds, name, type, more_flags, function, ...)                                                            \
	{.devices = kinds, .member = name, .verb = HTTP_PUT, .value = type, .flags = more_flags,                       \
		.handler = function, .param = {__VA_ARGS__}}
#define NO_WRITE(kinds, name, type, why, ...)                                                                          \
	{.devices = kinds, .member = name, .verb = HTTP_PUT, .value = type, .absent = why, .param = {__VA_ARGS__}}

/* A member of a camera that is one field of its state. The compiler checks the type of the field. */
#define FIELD_AT(field, type)                                                                                          \
	(uint16_t)(offsetof(struct camera_state, field) +                                                              \
		   0 * sizeof(char[_Generic(((struct camera_state *)0)->field, type: 1)]))
#define HAS_AT(flag) FIELD_AT(caps.flag, bool)
#define FIELD_ROW(name, type, more_flags, c_type, field)                                                               \
	.devices = ROUTE_CAMERA, .member = name, .verb = HTTP_GET, .value = type, .flags = ROUTE_LINK | (more_flags),  \
	.handler = camera_get_field, .at = FIELD_AT(field, c_type)
#define FIELD(name, type, c_type, field) {FIELD_ROW(name, type, 0, c_type, field)}
/* A member that not every camera has; a flag of its capabilities says so. */
#define FIELD_IF(name, type, c_type, field, flag, why)                                                                 \
	{FIELD_ROW(name, type, 0, c_type, field), .has = HAS_AT(flag), .absent = why}
/* A member that a camera may not know, in which case the field is not above 0. */
#define FIELD_KNOWN(name, type, c_type, field, why)                                                                    \
	{FIELD_ROW(name, type, ROUTE_ABOVE_ZERO, c_type, field), .absent = why}
/* A member that camera_set() sets. */
#define SETTING_ROW(name, what, param_name, type)                                                                      \
	.devices = ROUTE_CAMERA, .member = name, .verb = HTTP_PUT, .value = VALUE_NONE, .flags = ROUTE_LINK,           \
	.handler = camera_put_setting, .param = {{param_name, type, false}}, .setting = what
#define SETTING(name, what, param_name, type) {SETTING_ROW(name, what, param_name, type)}
#define SETTING_IF(name, what, param_name, type, flag, why)                                                            \
	{SETTING_ROW(name, what, param_name, type), .has = HAS_AT(flag), .absent = why}

/* clang-format off */
const struct route alpaca_routes[] = {
	/* Members of all devices. */
	WRITE(ROUTE_ANY, "action", VALUE_STRING, 0, common_action, {"Action",
		PARAM_STRING, false}, {"Parameters", PARAM_STRING, true}),
	NO_WRITE(ROUTE_ANY, "commandblind", VALUE_NONE, NO_COMMANDS, {"Command", PARAM_STRING,
		false}, {"Raw", PARAM_BOOL, false}),
	NO_WRITE(ROUTE_ANY, "commandbool", VALUE_BOOL, NO_COMMANDS, {"Command", PARAM_STRING,
		false}, {"Raw", PARAM_BOOL, false}),
	NO_WRITE(ROUTE_ANY, "commandstring", VALUE_STRING, NO_COMMANDS, {"Command", PARAM_STRING,
		false}, {"Raw", PARAM_BOOL, false}),
	WRITE(ROUTE_ANY, "connect", VALUE_NONE, 0, common_connect, NO_PARAMS),
	READ(ROUTE_ANY, "connected", VALUE_BOOL, 0, common_connected),
	WRITE(ROUTE_ANY, "connected", VALUE_NONE, 0, common_set_connected, {"Connected",
		PARAM_BOOL, false}),
	READ(ROUTE_ANY, "connecting", VALUE_BOOL, 0, common_connecting),
	READ(ROUTE_ANY, "description", VALUE_STRING, 0, common_description),
	READ(ROUTE_FOCUSER, "devicestate", VALUE_ARRAY, 0, focuser_get_devicestate),
	READ(ROUTE_CAMERA, "devicestate", VALUE_ARRAY, 0, camera_get_devicestate),
	WRITE(ROUTE_ANY, "disconnect", VALUE_NONE, 0, common_disconnect, NO_PARAMS),
	READ(ROUTE_ANY, "driverinfo", VALUE_STRING, 0, common_driverinfo),
	READ(ROUTE_ANY, "driverversion", VALUE_STRING, 0, common_driverversion),
	READ(ROUTE_ANY, "interfaceversion", VALUE_INT, 0, common_interfaceversion),
	READ(ROUTE_ANY, "name", VALUE_STRING, 0, common_name),
	READ(ROUTE_ANY, "supportedactions", VALUE_ARRAY, 0, common_supportedactions),

	/* Members of focusers. */
	READ(ROUTE_FOCUSER, "absolute", VALUE_BOOL, ROUTE_LINK, focuser_get_absolute),
	READ(ROUTE_FOCUSER, "ismoving", VALUE_BOOL, ROUTE_LINK, focuser_get_ismoving),
	READ(ROUTE_FOCUSER, "maxincrement", VALUE_INT, ROUTE_LINK, focuser_get_maxincrement),
	READ(ROUTE_FOCUSER, "maxstep", VALUE_INT, ROUTE_LINK, focuser_get_maxstep),
	READ(ROUTE_FOCUSER, "position", VALUE_INT, ROUTE_LINK, focuser_get_position),
	READ(ROUTE_FOCUSER, "stepsize", VALUE_DOUBLE, ROUTE_LINK, focuser_get_stepsize),
	READ(ROUTE_FOCUSER, "tempcomp", VALUE_BOOL, ROUTE_LINK, focuser_get_tempcomp),
	READ(ROUTE_FOCUSER, "tempcompavailable", VALUE_BOOL, ROUTE_LINK,
		focuser_get_tempcompavailable),
	READ(ROUTE_FOCUSER, "temperature", VALUE_DOUBLE, ROUTE_LINK, focuser_get_temperature),
	WRITE(ROUTE_FOCUSER, "tempcomp", VALUE_NONE, ROUTE_LINK, focuser_put_tempcomp, {"TempComp",
		PARAM_BOOL, false}),
	WRITE(ROUTE_FOCUSER, "halt", VALUE_NONE, 0, focuser_put_halt, NO_PARAMS),
	WRITE(ROUTE_FOCUSER, "move", VALUE_NONE, ROUTE_LINK, focuser_put_move, {"Position",
		 PARAM_I32, false}),

	/* Members of cameras. */
	READ(ROUTE_CAMERA, "bayeroffsetx", VALUE_INT, ROUTE_LINK, camera_get_bayeroffsetx),
	READ(ROUTE_CAMERA, "bayeroffsety", VALUE_INT, ROUTE_LINK, camera_get_bayeroffsety),
	FIELD("binx", VALUE_INT, int, setup.bin),
	FIELD("biny", VALUE_INT, int, setup.bin),
	READ(ROUTE_CAMERA, "camerastate", VALUE_INT, ROUTE_LINK, camera_get_camerastate),
	FIELD("cameraxsize", VALUE_INT, int, caps.width),
	FIELD("cameraysize", VALUE_INT, int, caps.height),
	FIELD("canabortexposure", VALUE_BOOL, bool, caps.can_abort),
	READ(ROUTE_CAMERA, "canasymmetricbin", VALUE_BOOL, ROUTE_LINK, camera_get_no),
	FIELD("canfastreadout", VALUE_BOOL, bool, caps.can_fast_readout),
	FIELD("cangetcoolerpower", VALUE_BOOL, bool, caps.has_cooler_power),
	FIELD("canpulseguide", VALUE_BOOL, bool, caps.can_pulse_guide),
	FIELD("cansetccdtemperature", VALUE_BOOL, bool, caps.has_cooler),
	FIELD("canstopexposure", VALUE_BOOL, bool, caps.can_stop),
	READ(ROUTE_CAMERA, "ccdtemperature", VALUE_DOUBLE, ROUTE_LINK, camera_get_ccdtemperature),
	FIELD_IF("cooleron", VALUE_BOOL, bool, cooler_on, has_cooler, NO_COOLER),
	READ(ROUTE_CAMERA, "coolerpower", VALUE_DOUBLE, ROUTE_LINK, camera_get_coolerpower),
	FIELD_KNOWN("electronsperadu", VALUE_DOUBLE, double, caps.electrons_per_adu, NO_ELECTRONS),
	FIELD("exposuremax", VALUE_DOUBLE, double, caps.exposure_max_s),
	FIELD("exposuremin", VALUE_DOUBLE, double, caps.exposure_min_s),
	FIELD("exposureresolution", VALUE_DOUBLE, double, caps.exposure_resolution_s),
	FIELD_IF("fastreadout", VALUE_BOOL, bool, setup.fast_readout, can_fast_readout, NO_FAST_READOUT),
	FIELD_KNOWN("fullwellcapacity", VALUE_DOUBLE, double, caps.full_well_e, NO_FULL_WELL),
	FIELD_IF("gain", VALUE_INT, int, setup.gain, has_gain, NO_GAIN),
	FIELD_IF("gainmax", VALUE_INT, int, caps.gain_max, has_gain, NO_GAIN),
	FIELD_IF("gainmin", VALUE_INT, int, caps.gain_min, has_gain, NO_GAIN),
	NO_READ(ROUTE_CAMERA, "gains", VALUE_ARRAY, NO_GAIN_NAMES),
	FIELD("hasshutter", VALUE_BOOL, bool, caps.has_shutter),
	READ(ROUTE_CAMERA, "heatsinktemperature", VALUE_DOUBLE, ROUTE_LINK,
		camera_get_heatsinktemperature),
	READ(ROUTE_CAMERA, "imagearray", VALUE_IMAGE, ROUTE_LINK, camera_get_imagearray),
	READ(ROUTE_CAMERA, "imagearrayvariant", VALUE_IMAGE, ROUTE_LINK, camera_get_imagearray),
	READ(ROUTE_CAMERA, "imageready", VALUE_BOOL, ROUTE_LINK, camera_get_imageready),
	READ(ROUTE_CAMERA, "ispulseguiding", VALUE_BOOL, ROUTE_LINK, camera_get_ispulseguiding),
	READ(ROUTE_CAMERA, "lastexposureduration", VALUE_DOUBLE, ROUTE_LINK,
		camera_get_lastexposureduration),
	READ(ROUTE_CAMERA, "lastexposurestarttime", VALUE_STRING, ROUTE_LINK,
		camera_get_lastexposurestarttime),
	FIELD_KNOWN("maxadu", VALUE_INT, int, caps.max_adu, NO_MAX_ADU),
	FIELD("maxbinx", VALUE_INT, int, caps.max_bin),
	FIELD("maxbiny", VALUE_INT, int, caps.max_bin),
	FIELD("numx", VALUE_INT, int, setup.num_x),
	FIELD("numy", VALUE_INT, int, setup.num_y),
	FIELD_IF("offset", VALUE_INT, int, setup.offset, has_offset, NO_OFFSET),
	FIELD_IF("offsetmax", VALUE_INT, int, caps.offset_max, has_offset, NO_OFFSET),
	FIELD_IF("offsetmin", VALUE_INT, int, caps.offset_min, has_offset, NO_OFFSET),
	NO_READ(ROUTE_CAMERA, "offsets", VALUE_ARRAY, NO_OFFSET_NAMES),
	READ(ROUTE_CAMERA, "percentcompleted", VALUE_INT, ROUTE_LINK, camera_get_percentcompleted),
	FIELD_KNOWN("pixelsizex", VALUE_DOUBLE, double, caps.pixel_um, NO_PIXEL_SIZE),
	FIELD_KNOWN("pixelsizey", VALUE_DOUBLE, double, caps.pixel_um, NO_PIXEL_SIZE),
	FIELD("readoutmode", VALUE_INT, int, setup.readout_mode),
	READ(ROUTE_CAMERA, "readoutmodes", VALUE_ARRAY, ROUTE_LINK, camera_get_readoutmodes),
	FIELD("sensorname", VALUE_STRING, char *, caps.sensor_name),
	FIELD("sensortype", VALUE_INT, int, caps.sensor_type),
	FIELD_IF("setccdtemperature", VALUE_DOUBLE, double, set_point_c, has_cooler, NO_COOLER),
	FIELD("startx", VALUE_INT, int, setup.start_x),
	FIELD("starty", VALUE_INT, int, setup.start_y),
	NO_READ(ROUTE_CAMERA, "subexposureduration", VALUE_DOUBLE, NO_STACKING),
	SETTING("binx", CAMERA_SET_BIN, "BinX", PARAM_I32),
	SETTING("biny", CAMERA_SET_BIN, "BinY", PARAM_I32),
	SETTING_IF("cooleron", CAMERA_SET_COOLER, "CoolerOn", PARAM_BOOL, has_cooler, NO_COOLER),
	SETTING_IF("fastreadout", CAMERA_SET_FAST_READOUT, "FastReadout", PARAM_BOOL, can_fast_readout,
		NO_FAST_READOUT),
	SETTING_IF("gain", CAMERA_SET_GAIN, "Gain", PARAM_I32, has_gain, NO_GAIN),
	SETTING("numx", CAMERA_SET_NUM_X, "NumX", PARAM_I32),
	SETTING("numy", CAMERA_SET_NUM_Y, "NumY", PARAM_I32),
	SETTING_IF("offset", CAMERA_SET_OFFSET, "Offset", PARAM_I32, has_offset, NO_OFFSET),
	SETTING("readoutmode", CAMERA_SET_READOUT_MODE, "ReadoutMode", PARAM_I32),
	WRITE(ROUTE_CAMERA, "setccdtemperature", VALUE_NONE, ROUTE_LINK,
		camera_put_setccdtemperature, {"SetCCDTemperature", PARAM_DOUBLE, false}),
	SETTING("startx", CAMERA_SET_START_X, "StartX", PARAM_I32),
	SETTING("starty", CAMERA_SET_START_Y, "StartY", PARAM_I32),
	NO_WRITE(ROUTE_CAMERA, "subexposureduration", VALUE_NONE, NO_STACKING,
		{"SubExposureDuration", PARAM_DOUBLE, false}),
	WRITE(ROUTE_CAMERA, "abortexposure", VALUE_NONE, ROUTE_LINK, camera_put_abortexposure,
		NO_PARAMS),
	WRITE(ROUTE_CAMERA, "pulseguide", VALUE_NONE, ROUTE_LINK, camera_put_pulseguide,
		{"Direction", PARAM_I32, false}, {"Duration", PARAM_I32, false}),
	WRITE(ROUTE_CAMERA, "startexposure", VALUE_NONE, ROUTE_LINK, camera_put_startexposure,
		{"Duration", PARAM_DOUBLE, false}, {"Light", PARAM_BOOL, false}),
	WRITE(ROUTE_CAMERA, "stopexposure", VALUE_NONE, ROUTE_LINK, camera_put_stopexposure,
		NO_PARAMS),
};
/* clang-format on */
const size_t alpaca_route_count = sizeof alpaca_routes / sizeof alpaca_routes[0];
