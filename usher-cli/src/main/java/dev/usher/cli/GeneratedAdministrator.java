package dev.usher.cli;

import java.security.SecureRandom;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The administrator of a new, embedded database, in which users could otherwise only register.
 *
 * @param mobile a number
 * @param password of 100 random bits, in letters and digits that cannot be confused
 */
record GeneratedAdministrator(String mobile, String password) {

    static final String MOBILE_SETTING = "usher.server.admin.mobile";
    static final String PASSWORD_SETTING = "usher.server.admin.password";

    private static final String MOBILE = "13800000000";
    private static final String CHARACTERS = "abcdefghijkmnpqrstuvwxyz23456789";
    private static final int LENGTH = 20;

    static GeneratedAdministrator create() {
        String password = new SecureRandom()
                .ints(LENGTH, 0, CHARACTERS.length())
                .mapToObj(index -> CHARACTERS.substring(index, index + 1))
                .collect(Collectors.joining());
        return new GeneratedAdministrator(MOBILE, password);
    }

    /** The settings that make the server create it. */
    Map<String, Object> settings() {
        return Map.of(MOBILE_SETTING, mobile, PASSWORD_SETTING, password);
    }

    /** Without the password. */
    @Override
    public String toString() {
        return "GeneratedAdministrator[]";
    }
}
