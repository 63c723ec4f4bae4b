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
 * @param redis Calls of Redis.
 * @param profile Caching and loads of profiles.
 * @param status Caching and loads of statuses.
 */
@ConfigurationProperties("usher")
public record UsherProperties(
        @DefaultValue("true") boolean enabled,
        @DefaultValue("user") String keyPrefix,
        @DefaultValue Redis redis,
        @DefaultValue Profile profile,
        @DefaultValue Status status) {

    /**
     * Calls of Redis.
     *
     * @param commandTimeout How long a call of Redis may take before the source answers instead.
     * @param requireResp3 Whether the start fails on a Redis that speaks RESP2 only, and so cannot push changes.
     */
    public record Redis(
            @DefaultValue("100ms") Duration commandTimeout,
            @DefaultValue("true") boolean requireResp3) {}

    /**
     * Caching and loads of profiles.
     *
     * @param ttl Longest TTL of a profile in Redis.
     * @param jitter Share of a TTL, from 0 to less than 1, by which it may be shortened at random.
     * @param absentTtl Longest TTL of an absent user's entry in Redis.
     * @param stalenessBound Greatest age of an answer from memory; with 0, each call asks Redis.
     * @param nearSize How many users the near tier holds; 0 turns the near tier off.
     * @param nearTtl Longest TTL of an answer in the near tier.
     * @param refreshAhead Last share of a TTL in Redis in which an entry that is asked for is loaded again; 0 for never.
     * @param claimWait How long a caller waits for the load of another process before it asks the source itself.
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

        /** The policy, with a number of callers that may wait unless there is a setting for it. */
        CachePolicy policy(int maxWaitingLoads) {
            return policyOf(
                    "usher.profile", UserProfile.FACET.policy().toBuilder().maxWaitingLoads(maxWaitingLoads), this);
        }
    }

    /**
     * Caching and loads of statuses.
     *
     * @param ttl Longest TTL of a status in Redis.
     * @param jitter Share of a TTL, from 0 to less than 1, by which it may be shortened at random.
     * @param absentTtl Longest TTL of an absent user's entry in Redis.
     * @param stalenessBound Greatest age of an answer from memory; with 0, each call asks Redis.
     * @param nearSize How many users the near tier holds; 0 turns the near tier off.
     * @param nearTtl Longest TTL of an answer in the near tier.
     * @param refreshAhead Last share of a TTL in Redis in which an entry that is asked for is loaded again; 0 for never.
     * @param claimWait How long a caller waits for the load of another process before it asks the source itself.
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

        /** The policy, with a number of callers that may wait unless there is a setting for it. */
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

    /** Passes a setting to the core, which validates it; the exception for an invalid one names the property. */
    private static <T> void accept(String property, T value, Function<T, ?> setter) {
        try {
            var unused = setter.apply(value);
        } catch (IllegalArgumentException e) {
            throw InvalidSetting.of(property, value, String.valueOf(e.getMessage()), e);
        }
    }
}
