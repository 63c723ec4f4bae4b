package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports what a Redis without RESP3 means for the caches, and how to continue with or without it. */
final class PushlessRedisFailureAnalyzer extends AbstractFailureAnalyzer<PushlessRedisException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, PushlessRedisException cause) {
        return new FailureAnalysis(
                "The Redis of spring.data.redis speaks RESP2 only. It is older than Redis 6, or there is a proxy in front of it"
                        + " that does not know RESP3. It cannot tell usher of changes, so that users could hardly be answered from"
                        + " memory: statuses never, profiles for the staleness bound.",
                "Use Redis 6 or newer, or Valkey, and connect to it without such a proxy. Or set"
                        + " usher.redis.require-resp3=false to go on without: answers are as right as before, and slower.",
                cause);
    }
}
