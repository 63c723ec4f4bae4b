package dev.usher.spring;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

/** Reports what a URL of Redis looks like, without the configured one. */
final class UnreadableRedisUrlFailureAnalyzer extends AbstractFailureAnalyzer<UnreadableRedisUrlException> {

    @Override
    protected FailureAnalysis analyze(Throwable rootFailure, UnreadableRedisUrlException cause) {
        String property = cause.property();
        String parent = property.substring(0, property.lastIndexOf('.'));
        return new FailureAnalysis(
                property + " is not the address of a Redis. It is not shown here, for it may hold a password.",
                "Write it as redis://user:password@host:6379/0, or rediss:// for TLS; user, password and database may be left"
                        + " out. Characters such as '@', '/', '#' or '%' in a password have to be encoded (%40, %2F, %23, %25),"
                        + " or set " + parent + ".host, " + parent + ".port and " + parent
                        + ".password instead. Sentinels are"
                        + " named by " + parent + ".sentinel.nodes, or by usher.redis.url as"
                        + " redis-sentinel://host:26379,host:26379#master; a Cluster by " + parent
                        + ".cluster.nodes, or by usher.redis.url as redis-cluster://host:7001,host:7001, without a database.",
                cause);
    }
}
