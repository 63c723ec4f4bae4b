package dev.usher.spring;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SqlNameTest {

    @ParameterizedTest
    @ValueSource(strings = {"id", "profile_photo", "V$USERS", "名", "\"user\"", "`user`", "[user]", "\"is media\""})
    void aNameIsPlainOrQuoted(String name) {
        assertThat(SqlName.isColumn(name)).isTrue();
        assertThat(SqlName.isTable(name)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"app.users", "main.app.users", "\"app\".\"user\"", "app.`user`"})
    void aTableMayBeNamedWithItsSchema(String name) {
        assertThat(SqlName.isTable(name)).isTrue();
        assertThat(SqlName.isColumn(name)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                " ",
                "1",
                "users u",
                "users; DROP TABLE users",
                "users--",
                "users#",
                "users/**/",
                "(SELECT 1)",
                "a.b.c.d",
                "users.",
                ".users",
                "\"user",
                "\"us\"\"er\"",
                "\"us\\er\"",
                "\"us;er\"",
                "\"us--er\"",
                "`us]er`",
                "[us'er]",
                "users\n",
                "*",
                "?"
            })
    void anythingElseIsNoName(String name) {
        assertThat(SqlName.isColumn(name)).isFalse();
        assertThat(SqlName.isTable(name)).isFalse();
    }
}
