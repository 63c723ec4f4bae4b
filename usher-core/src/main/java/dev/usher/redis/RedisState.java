package dev.usher.redis;

/** How a Redis server is doing, as far as is known without asking. Each state is worse than the one before. */
public enum RedisState {
    /** It answers. */
    ANSWERING,

    /** It answers, but a call has failed a moment ago. */
    FAILING,

    /** It is connected and does not answer in time, so that no caller waits for it. */
    SILENT,

    /** It is not connected. */
    UNREACHABLE
}
