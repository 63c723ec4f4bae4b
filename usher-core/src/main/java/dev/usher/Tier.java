package dev.usher;

/** Where an answer came from. */
enum Tier {
    SHARED,
    SOURCE
}
