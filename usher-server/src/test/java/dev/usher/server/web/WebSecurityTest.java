package dev.usher.server.web;

import static org.assertj.core.api.Assertions.assertThat;

import dev.usher.server.Node;
import org.junit.jupiter.api.Test;
import org.springframework.security.crypto.password.PasswordEncoder;

public class WebSecurityTest {

    /** Tests on servers hash at a lower cost, and would not see another one here. */
    @Test
    void passwordsAreHashedWithBcryptAtCostTen() {
        PasswordEncoder passwords = new WebSecurity().passwordEncoder();

        String hash = passwords.encode(Node.PASSWORD);

        assertThat(hash).startsWith("{bcrypt}$2a$10$");
        assertThat(passwords.matches(Node.PASSWORD, hash)).isTrue();
        assertThat(passwords.matches("wrong horse", hash)).isFalse();
    }
}
