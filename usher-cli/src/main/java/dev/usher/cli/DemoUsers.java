package dev.usher.cli;

import java.util.Locale;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicLongArray;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The users of one run of the demo: their mobile numbers, which no other run has, their ids and their tokens. There is one
 * more than asked for, the administrator. Thread-safe.
 */
final class DemoUsers {

    /** A country code that is not assigned. */
    private static final String COUNTRY = "+999";

    private static final int RUNS = 1_000_000;

    private final String mobilePrefix;
    private final String password = GeneratedAdministrator.create().password();
    private final int count;
    private final AtomicLongArray ids;
    private final AtomicReferenceArray<String> tokens;

    DemoUsers(int count) {
        this.count = count;
        this.mobilePrefix = COUNTRY
                + String.format(Locale.ROOT, "%06d", ThreadLocalRandom.current().nextInt(RUNS));
        this.ids = new AtomicLongArray(count + 1);
        this.tokens = new AtomicReferenceArray<>(count + 1);
    }

    /** How many there are, without the administrator. */
    int count() {
        return count;
    }

    /** The number of the administrator. */
    int administrator() {
        return count;
    }

    /** The prefix that the mobile numbers of these users have, and no others. */
    String mobilePrefix() {
        return mobilePrefix;
    }

    String name(int number) {
        return "User " + number;
    }

    long id(int number) {
        return ids.get(number);
    }

    String token(int number) {
        String token = tokens.get(number);
        if (token == null) {
            throw new IllegalStateException("user " + number + " has not logged in");
        }
        return token;
    }

    void register(ApiClient api, int number) {
        Answer answer = api.post(
                        "/v1/users", Map.of("mobile", mobile(number), "password", password, "name", name(number)))
                .with(201);
        ids.set(number, answer.json().path("id").asLong());
    }

    void logIn(ApiClient api, int number) {
        tokens.set(number, tryLogIn(api, number).with(200).json().path("token").asString());
    }

    Answer tryLogIn(ApiClient api, int number) {
        return api.post("/v1/login", Map.of("mobile", mobile(number), "password", password));
    }

    private String mobile(int number) {
        return mobilePrefix + String.format(Locale.ROOT, "%06d", number);
    }
}
