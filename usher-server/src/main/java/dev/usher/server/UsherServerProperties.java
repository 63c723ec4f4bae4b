package dev.usher.server;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/**
 * The settings under {@code usher.server}.
 *
 * @param issuer Issuer of the tokens: their claim "iss".
 * @param audience Audience of the tokens: their claim "aud".
 * @param tokenTtl How long a token is honoured.
 * @param freshTokenTtl How long a refresh token can be exchanged for a new pair of tokens.
 * @param clockSkew How long past its end, and before its beginning, a token is honoured: for clocks that differ, at most a
 *     minute.
 * @param signingKey RSA key of at least 2048 bits that signs the tokens: PKCS#8 in PEM, or the location of such a file.
 *     Without it, one is generated and kept in the database, where administrators can have it replaced.
 * @param verificationKeys Further RSA keys whose tokens are honoured, and which are published: public or private ones, each in
 *     PEM or the location of such a file.
 * @param maxVerifiedTokens Tokens whose signatures are verified once and not at each call, up to 1000000; 0 for none. Each takes about 1 KB.
 * @param securityObservations Whether Spring Security's filters, authentications and authorizations are observed: timed, and traced where there is
 *     a tracer.
 * @param attempts Limits of logins that fail and of registrations.
 * @param logins How many logins a user may have, and how often each may be refreshed.
 * @param passwords How many passwords are hashed or compared at once.
 * @param reads How many profiles of others a caller may read.
 * @param admin Administrator to create when there is none.
 */
@ConfigurationProperties("usher.server")
public record UsherServerProperties(
        @DefaultValue("usher") String issuer,
        @DefaultValue("usher") String audience,
        @DefaultValue("15m") Duration tokenTtl,
        @DefaultValue("30d") Duration freshTokenTtl,
        @DefaultValue("5s") Duration clockSkew,
        @Nullable String signingKey,
        @DefaultValue List<String> verificationKeys,
        @DefaultValue("10000") int maxVerifiedTokens,
        @DefaultValue("false") boolean securityObservations,
        @DefaultValue Attempts attempts,
        @DefaultValue Logins logins,
        @DefaultValue Passwords passwords,
        @DefaultValue Reads reads,
        @DefaultValue Admin admin) {

    /** How many users one request may ask for. */
    public static final int MAX_IDS = 200;

    private static final int MAX_COUNT = 1_000_000;
    private static final Duration MAX_WINDOW = Duration.ofDays(1);
    private static final Duration MAX_CLOCK_SKEW = Duration.ofMinutes(1);

    public UsherServerProperties {
        requireASecond(tokenTtl, "token-ttl");
        requireASecond(freshTokenTtl, "fresh-token-ttl");
        requireBetween(clockSkew, Duration.ZERO, MAX_CLOCK_SKEW, "clock-skew");
        requireBetween(maxVerifiedTokens, 0, MAX_COUNT, "max-verified-tokens");
    }

    private static void requireBetween(Duration value, Duration least, Duration most, String name) {
        if (value.compareTo(least) < 0 || value.compareTo(most) > 0) {
            throw new IllegalArgumentException("usher.server." + name + " must be from " + least + " to " + most
                    + ", but is " + value + "; a number without a unit is milliseconds");
        }
    }

    private static void requireBetween(int value, int least, int most, String name) {
        if (value < least || value > most) {
            throw new IllegalArgumentException(
                    "usher.server." + name + " must be from " + least + " to " + most + ", but is " + value);
        }
    }

    private static void requireASecond(Duration ttl, String name) {
        if (ttl.compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException("usher.server." + name + " must be at least a second, but is " + ttl
                    + "; a number without a unit is milliseconds");
        }
    }

    private static void requireWindow(Duration window, String name) {
        requireASecond(window, name);
        if (window.compareTo(MAX_WINDOW) > 0) {
            throw new IllegalArgumentException("usher.server." + name + " must be at most a day, but is " + window);
        }
    }

    /**
     * Limits of logins that fail and of registrations. The whole limit may be used at once; it then refills evenly over the window.
     *
     * @param perMobile Failed logins with one mobile number in a window; 0 for no limit.
     * @param perAddress Failed logins from one address in a window, where an IPv6 network of 64 bits is one address; 0 for
     *     no limit.
     * @param registrationsPerAddress Registrations from one address in a window; 0 for no limit.
     * @param window Time in which a limit refills, from a second to a day.
     */
    public record Attempts(
            @DefaultValue("10") int perMobile,
            @DefaultValue("100") int perAddress,
            @DefaultValue("50") int registrationsPerAddress,
            @DefaultValue("10m") Duration window) {

        public Attempts {
            requireCount(perMobile, "per-mobile");
            requireCount(perAddress, "per-address");
            requireCount(registrationsPerAddress, "registrations-per-address");
            requireWindow(window, "attempts.window");
        }

        private static void requireCount(int attempts, String name) {
            if (attempts < 0 || attempts > MAX_COUNT) {
                throw new IllegalArgumentException("usher.server.attempts." + name
                        + " must be from 0, for no limit, to " + MAX_COUNT + ", but is " + attempts);
            }
        }
    }

    /**
     * How many logins a user may have, and how often each may be refreshed.
     *
     * @param maxPerUser Logins of a user that can be refreshed, from 1 to 1000. One more ends the login that was not used for the longest time.
     * @param maxRefreshesPerHour Refreshes of a login in an hour, from 1 to 100000.
     */
    public record Logins(
            @DefaultValue("20") int maxPerUser,
            @DefaultValue("240") int maxRefreshesPerHour) {

        public Logins {
            requireBetween(maxPerUser, 1, 1000, "logins.max-per-user");
            requireBetween(maxRefreshesPerHour, 1, 100_000, "logins.max-refreshes-per-hour");
        }
    }

    /**
     * How many passwords are hashed or compared at once; each takes a processor for some 100 ms. Further calls are answered with 503.
     *
     * @param maxAtOnce Passwords that are hashed or compared at once, up to 1000; 0 for one less than there are processors, and at least 1.
     * @param maxWaiting Calls that may wait, from 0 to 1000. Each holds a thread.
     * @param maxWait Longest wait of a call, from a millisecond to half a minute.
     */
    public record Passwords(
            @DefaultValue("0") int maxAtOnce,
            @DefaultValue("20") int maxWaiting,
            @DefaultValue("2s") Duration maxWait) {

        public Passwords {
            requireBetween(maxAtOnce, 0, 1000, "passwords.max-at-once");
            requireBetween(maxWaiting, 0, 1000, "passwords.max-waiting");
            requireBetween(maxWait, Duration.ofMillis(1), Duration.ofSeconds(30), "passwords.max-wait");
        }
    }

    /**
     * How many profiles of others a caller may read from one node. The whole limit may be used at once; it then refills evenly over the
     * window. Administrators are not limited.
     *
     * @param perCaller Profiles of others that a caller may read from a node in a window, at least 200; 0 for no limit.
     * @param window Time in which the limit refills, from a second to a day.
     */
    public record Reads(
            @DefaultValue("6000") int perCaller,
            @DefaultValue("10m") Duration window) {

        public Reads {
            // One request may ask for as many.
            if ((perCaller != 0 && perCaller < MAX_IDS) || perCaller > MAX_COUNT) {
                throw new IllegalArgumentException("usher.server.reads.per-caller must be 0, for no limit, or from "
                        + MAX_IDS + " to " + MAX_COUNT + ", but is " + perCaller);
            }
            requireWindow(window, "reads.window");
        }
    }

    /**
     * The administrator to create when there is none.
     *
     * @param mobile Mobile number of the first administrator. Without it, no administrator is created.
     * @param password Password of the first administrator.
     * @param name Name of the first administrator.
     */
    public record Admin(
            @Nullable String mobile,
            @Nullable String password,
            @DefaultValue("Administrator") String name) {

        @Override
        public String toString() {
            return "Admin[name=" + name + "]";
        }
    }

    /** Without the secrets. */
    @Override
    public String toString() {
        return "UsherServerProperties[issuer=" + issuer + ", audience=" + audience + ", tokenTtl=" + tokenTtl
                + ", freshTokenTtl=" + freshTokenTtl + ", clockSkew=" + clockSkew + ", maxVerifiedTokens="
                + maxVerifiedTokens + ", securityObservations=" + securityObservations + ", attempts=" + attempts
                + ", logins=" + logins + ", passwords=" + passwords + ", reads=" + reads + ", admin=" + admin + "]";
    }
}
