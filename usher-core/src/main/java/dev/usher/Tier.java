package dev.usher;

/** The origin of an answer. */
enum Tier {
    SHARED,
    SOURCE
}
