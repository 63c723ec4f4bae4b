package dev.usher.sample;

/**
 * What a member has earned: a facet of this application's own.
 *
 * @param karma points
 * @param title what others call the member
 */
record Badges(int karma, String title) {

    static final Badges NONE = new Badges(0, "");
}
