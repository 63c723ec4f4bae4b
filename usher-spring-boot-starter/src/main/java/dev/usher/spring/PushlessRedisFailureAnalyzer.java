package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports what a Redis without RESP3 means for the caches, and how to continue with or without it. */
final class PushlessRedisFailureAnalyzer extends AbstractFailureAnalyzer<PushlessRedisException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, PushlessRedisException cause) {
        return new FailureAnalysis(
                "The Redis of spring.data.redis speaks RESP2 only: it is older than Redis 6, or a proxy in front of it does not"
                        + " support RESP3. Redis then cannot push changes to usher. Without them usher answers no status from"
                        + " memory, and a profile for the staleness bound at most.",
                "Use Redis 6.2 or newer, or Valkey, and connect to it without such a proxy. Or set"
                        + " usher.redis.require-resp3=false to run without RESP3: answers are as correct, but slower.",
                cause);
    }
}
