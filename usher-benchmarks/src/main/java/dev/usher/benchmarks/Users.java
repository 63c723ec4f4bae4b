package dev.usher.benchmarks;

import dev.usher.UserProfile;

/** The users of the benchmarks: each id has a profile of a realistic length. */
final class Users {

    private static final long FIRST_MOBILE = 13_000_000_000L;
    private static final long INTROS = 10_000_000;

    private Users() {}

    /** The profile of a user, the same at every call. */
    static UserProfile profile(long id) {
        return new UserProfile(
                Long.toString(FIRST_MOBILE + id),
                "user " + id,
                "photos/" + id + ".png",
                id % 50 == 0,
                "Tea, trains, long walks. Ask for "
                        + Long.toString(INTROS + id % INTROS).substring(1),
                id % 10 == 0 ? "verified teacher" : "");
    }
}
