package dev.usher.cli;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MaskedUriTest {

    @ParameterizedTest
    @CsvSource({
        "redis://secret@host:6379/1,                          redis://***@host:6379/1",
        "redis://:secret@host:6379,                           redis://***@host:6379",
        "rediss://usher:secret@host:6380?timeout=2s,          rediss://***@host:6380?timeout=2s",
        "redis://usher:se/c@r?et@host,                        redis://***@host",
        "jdbc:postgresql://usher:secret@host/users,           jdbc:postgresql://***@host/users",
        "jdbc:postgresql://host/users?user=usher&password=secret&ssl=true,"
                + " jdbc:postgresql://host/users?user=***&password=***&ssl=true",
        "jdbc:postgresql://host/users?ssl=true&sslpassword=secret, jdbc:postgresql://host/users?ssl=true&sslpassword=***",
        "jdbc:postgresql://host/users?PASSWORD=secret,        jdbc:postgresql://host/users?PASSWORD=***",
    })
    void credentialsAreNotShown(String uri, String shown) {
        assertThat(MaskedUri.of(uri)).isEqualTo(shown);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "redis://127.0.0.1:6379",
                "rediss://cache.example.org:6380/2",
                "jdbc:postgresql://127.0.0.1:5432/users",
                "jdbc:postgresql://a:5432,b:5432/users?targetServerType=primary&ssl=true",
            })
    void harmlessPartsAreShown(String uri) {
        assertThat(MaskedUri.of(uri)).isEqualTo(uri);
    }

    @Test
    void aPasswordOfSeveralLinesIsNotShownEither() {
        assertThat(MaskedUri.of("redis://:one\ntwo@host")).isEqualTo("redis://***@host");
    }
}
