package dev.usher.redis;

/** The texts of scripts, for tests that play another process by hand. */
public final class Scripts {

    private Scripts() {}

    public static String claim() {
        return GuardScript.CLAIM.source();
    }

    public static String renew() {
        return GuardScript.RENEW.source();
    }
}
