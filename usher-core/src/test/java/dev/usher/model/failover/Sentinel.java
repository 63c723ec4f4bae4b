package dev.usher.model.failover;

/** A Sentinel. Its configuration only ever becomes newer; the primary that it names may be one that it has named before. */
final class Sentinel {

    /** The failover that it knows of. */
    int epoch;

    /** The one that it knew of when the reader asked all Sentinels last. */
    int epochAtTheQuestion;

    Sentinel() {}

    Sentinel(Sentinel other) {
        epoch = other.epoch;
        epochAtTheQuestion = other.epochAtTheQuestion;
    }
}
