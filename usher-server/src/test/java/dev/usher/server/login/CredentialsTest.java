package dev.usher.server.login;

import static org.assertj.core.api.Assertions.assertThat;

import jakarta.validation.Validation;
import jakarta.validation.ValidatorFactory;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CredentialsTest {

    /** The rules of a registration are those of new passwords. */
    @ParameterizedTest
    @ValueSource(strings = {"        ", "aaaaaaaa", "13812345678", "seven77", "a\u202eb", ""})
    void anOldPasswordStillLogsIn(String password) {
        try (ValidatorFactory validators = Validation.buildDefaultValidatorFactory()) {
            assertThat(validators.getValidator().validate(new Credentials("13812345678", password)))
                    .isEmpty();
        }
    }
}
