package dev.usher.server.token;

import static org.assertj.core.api.Assertions.assertThat;

import com.nimbusds.jose.jwk.RSAKey;
import org.junit.jupiter.api.Test;

class RsaPemTest {

    /** Tests on servers make their keys quicker, and would not see shorter ones here. */
    @Test
    void aGeneratedKeyHas2048BitsAndCanBeRead() throws Exception {
        RSAKey key = new RsaPem(RsaPem.generate(), "the key").privateKey();

        assertThat(key.toRSAPublicKey().getModulus().bitLength()).isEqualTo(2048);
        assertThat(key.isPrivate()).isTrue();
    }
}
