package dev.usher.spring;

import dev.usher.CachePolicy;
import dev.usher.UserCaches;
import dev.usher.UserProfile;
import dev.usher.UserStatus;
import java.time.Duration;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The settings under {@code usher}. Where Redis is, they do not say: that is under {@code spring.data.redis}.
 *
 * @param enabled Whether usher configures its caches.
 * @param keyPrefix What all keys in Redis begin with. Applications that share a Redis differ in it.
 * @param redis How Redis is talked to.
 * @param profile How long answers about profiles live.
 * @param status How long answers about statuses live.
 */
@ConfigurationProperties("usher")
public record UsherProperties(
        @DefaultValue("true") boolean enabled,
        @DefaultValue("user") String keyPrefix,
        @DefaultValue Redis redis,
        @DefaultValue Profile profile,
        @DefaultValue Status status) {

    /**
     * How Redis is talked to.
     *
     * @param commandTimeout How long a call of Redis may take before the source answers instead.
     * @param requireResp3 Whether the start fails on a Redis that speaks RESP2 only, which cannot tell of changes.
     */
    public record Redis(
            @DefaultValue("100ms") Duration commandTimeout,
            @DefaultValue("true") boolean requireResp3) {}

    /**
     * How long answers about profiles live.
     *
     * @param ttl Longest life of a profile in Redis.
     * @param jitter Share of a life, from 0 to less than 1, by which it may be shortened at random.
     * @param absentTtl Longest life of the knowledge that a user does not exist.
     * @param stalenessBound How old an answer may ever be that is given without asking Redis.
     * @param nearSize How many users this process remembers by itself; 0 turns its memory off.
     * @param nearTtl Longest life of what this process remembers by itself.
     * @param refreshAhead Last share of a life in Redis in which an entry that is asked for is loaded again; 0 for never.
     * @param claimWait How long a caller waits for the load of another process before it asks the source by itself.
     * @param serveStaleFor For how long the last known answer is given when neither Redis nor the source answers; 0 for never.
     * @param maxLoads How many queries of the source may be under way at a time.
     * @param maxWaitingLoads How many callers may wait at a time for a query or for the load of another. By default a quarter of the
     *     web server's threads, or 1000 where there are none or they are virtual.
     * @param maxWait How long a caller may wait for such loads before the user is unavailable.
     */
    public record Profile(
            @DefaultValue("30m") Duration ttl,
            @DefaultValue("0.1") double jitter,
            @DefaultValue("60s") Duration absentTtl,
            @DefaultValue("5s") Duration stalenessBound,
            @DefaultValue("10000") long nearSize,
            @DefaultValue("5m") Duration nearTtl,
            @DefaultValue("0.1") double refreshAhead,
            @DefaultValue("1s") Duration claimWait,
            @DefaultValue("5m") Duration serveStaleFor,
            @DefaultValue("4") int maxLoads,
            @Nullable Integer maxWaitingLoads,
            @DefaultValue("3s") Duration maxWait) {

        /** The policy, with a number of callers that may wait where no setting says it. */
        CachePolicy policy(int maxWaitingLoads) {
            return policyOf(
                    "usher.profile", UserProfile.FACET.policy().toBuilder().maxWaitingLoads(maxWaitingLoads), this);
        }
    }

    /**
     * How long answers about statuses live.
     *
     * @param ttl Longest life of a status in Redis.
     * @param jitter Share of a life, from 0 to less than 1, by which it may be shortened at random.
     * @param absentTtl Longest life of the knowledge that a user does not exist.
     * @param stalenessBound How old an answer may ever be that is given without asking Redis.
     * @param nearSize How many users this process remembers by itself; 0 turns its memory off.
     * @param nearTtl Longest life of what this process remembers by itself.
     * @param refreshAhead Last share of a life in Redis in which an entry that is asked for is loaded again; 0 for never.
     * @param claimWait How long a caller waits for the load of another process before it asks the source by itself.
     * @param serveStaleFor For how long the last known answer is given when neither Redis nor the source answers; 0 for never.
     * @param maxLoads How many queries of the source may be under way at a time.
     * @param maxWaitingLoads How many callers may wait at a time for a query or for the load of another. By default a quarter of the
     *     web server's threads, or 1000 where there are none or they are virtual.
     * @param maxWait How long a caller may wait for such loads before the user is unavailable.
     */
    public record Status(
            @DefaultValue("60m") Duration ttl,
            @DefaultValue("0.1") double jitter,
            @DefaultValue("60s") Duration absentTtl,
            @DefaultValue("1s") Duration stalenessBound,
            @DefaultValue("10000") long nearSize,
            @DefaultValue("5m") Duration nearTtl,
            @DefaultValue("0.1") double refreshAhead,
            @DefaultValue("1s") Duration claimWait,
            @DefaultValue("0s") Duration serveStaleFor,
            @DefaultValue("4") int maxLoads,
            @Nullable Integer maxWaitingLoads,
            @DefaultValue("3s") Duration maxWait) {

        /** The policy, with a number of callers that may wait where no setting says it. */
        CachePolicy policy(int maxWaitingLoads) {
            return policyOf(
                    "usher.status",
                    UserStatus.FACET.policy().toBuilder().maxWaitingLoads(maxWaitingLoads),
                    new Profile(
                            ttl,
                            jitter,
                            absentTtl,
                            stalenessBound,
                            nearSize,
                            nearTtl,
                            refreshAhead,
                            claimWait,
                            serveStaleFor,
                            maxLoads,
                            this.maxWaitingLoads,
                            maxWait));
        }
    }

    /** A builder with these settings, which still lacks a Redis. */
    UserCaches.Builder builder() {
        UserCaches.Builder builder = UserCaches.builder();
        accept("usher.key-prefix", keyPrefix, builder::keyPrefix);
        accept("usher.redis.command-timeout", redis.commandTimeout, builder::commandTimeout);
        return builder;
    }

    private static CachePolicy policyOf(String under, CachePolicy.Builder policy, Profile settings) {
        accept(under + ".ttl", settings.ttl, policy::ttl);
        accept(under + ".jitter", settings.jitter, policy::jitter);
        accept(under + ".absent-ttl", settings.absentTtl, policy::absentTtl);
        accept(under + ".staleness-bound", settings.stalenessBound, policy::stalenessBound);
        accept(under + ".near-size", settings.nearSize, policy::nearSize);
        accept(under + ".near-ttl", settings.nearTtl, policy::nearTtl);
        accept(under + ".refresh-ahead", settings.refreshAhead, policy::refreshAhead);
        accept(under + ".claim-wait", settings.claimWait, policy::claimWait);
        accept(under + ".serve-stale-for", settings.serveStaleFor, policy::serveStaleFor);
        accept(under + ".max-loads", settings.maxLoads, policy::maxLoads);
        if (settings.maxWaitingLoads != null) {
            accept(under + ".max-waiting-loads", settings.maxWaitingLoads, policy::maxWaitingLoads);
        }
        accept(under + ".max-wait", settings.maxWait, policy::maxWait);
        return policy.build();
    }

    /** Hands a setting to the core, which knows what is valid, and names the property when it is not. */
    private static <T> void accept(String property, T value, Function<T, ?> setter) {
        try {
            var unused = setter.apply(value);
        } catch (IllegalArgumentException e) {
            throw InvalidSetting.of(property, value, String.valueOf(e.getMessage()), e);
        }
    }
}
