/* SPDX-License-Identifier: MIT */
/*
 * What the stars of one sweep teach of an optical train, for whoever keeps and shows it; field.h makes and uses it.
 * Pure; any thread.  Units are those of field.h.
 */
#ifndef FOCUSD_FIELD_TRAIN_H
#define FOCUSD_FIELD_TRAIN_H

/* What is learned.  A star at X, Y, with Q = X^2 + Y^2, each less the mean place of the sweep's stars, has
 *	best focus   BEST + TILT_X X + TILT_Y Y + CURVATURE Q
 *	size         W s sqrt(G((k dz / (W s))^2)),  dz = position - best focus,
 *	             s = exp(SIZE_X X + SIZE_Y Y + SIZE_Q Q),  k = exp(SLOPE + ASYMMETRY sign(dz))
 * where W, the size in focus, is that of the moment, about exp(WIDTH), and G is the curve (field_inside.h). */
enum field_parameter {
	FIELD_BEST,      /* steps: best focus at the mean place of the stars */
	FIELD_TILT_X,    /* steps per unit of X */
	FIELD_TILT_Y,    /* steps per unit of Y */
	FIELD_CURVATURE, /* steps per unit of Q */
	FIELD_SLOPE,     /* ln of px per step, far from focus */
	FIELD_ASYMMETRY, /* half the difference of the slopes' logarithms: > 0 where larger positions are steeper */
	FIELD_SIZE_X,    /* what is not focus: sizes that differ over the field at every focus */
	FIELD_SIZE_Y,
	FIELD_SIZE_Q,
	FIELD_WIDTH,     /* ln of px: size in focus under the seeing of the sweep */
	FIELD_PARAMETERS,
};

/* What a sweep has taught of one optical train: focuser, camera and binning, as they are screwed together. */
struct field_train {
	int width, height;   /* of the frames, px, > 0 */
	int frames, stars;   /* that the fit used */
	double centre[3];    /* mean X, Y and Q of those stars */
	double value[FIELD_PARAMETERS];
	double covariance[FIELD_PARAMETERS][FIELD_PARAMETERS]; /* of value, in its units */
	double star_scatter;  /* 1 sigma: by how much stars differ from one another in every frame, relative */
	double extra_scatter; /* 1 sigma: by how much one star's size scatters beyond its photon noise, relative */
};

/* What a train says of the field. */
struct field_value {
	double value; /* steps; NAN unknown */
	double sigma; /* steps: 1 sigma */
};
struct field_shape {
	struct field_value tilt_x;      /* best focus at the last column less that at the first */
	struct field_value tilt_y;      /* best focus at the last row less that at the first */
	struct field_value curvature;   /* best focus in the corners less that in the middle, tilt apart */
	struct field_value best_middle; /* best focus in the middle of the frame */
	struct field_value best_whole;  /* the position at which the whole frame is blurred least */
};

/* Tilt, curvature and best focus of parts of the frame, with errors from the train's covariance.  A value that is not
 * known to within field_zone() is NAN; its sigma is told all the same. */
void field_shape(const struct field_train *train, struct field_shape *out);

/* The full width of the range in which stars are within a tenth of their least size, steps. */
double field_zone(const struct field_train *train);

/* Turns a train around: that of a focuser whose positions count the other way, best focus at `best` of the new
 * numbers. */
void field_mirror(struct field_train *train, double best);

#endif
