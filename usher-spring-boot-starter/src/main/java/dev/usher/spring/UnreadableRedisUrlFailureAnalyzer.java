package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports what a URL of Redis looks like, without the configured one. */
final class UnreadableRedisUrlFailureAnalyzer extends AbstractFailureAnalyzer<UnreadableRedisUrlException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, UnreadableRedisUrlException cause) {
        return new FailureAnalysis(
                "spring.data.redis.url is not the address of a Redis. It is not shown here, for it may hold a password.",
                "Write it as redis://user:password@host:6379/0, or rediss:// for TLS; user, password and database may be left"
                        + " out. Characters such as '@', '/', '#' or '%' in a password have to be encoded (%40, %2F, %23, %25),"
                        + " or set spring.data.redis.host, spring.data.redis.port and spring.data.redis.password instead.",
                cause);
    }
}
