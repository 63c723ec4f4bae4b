package dev.usher.sample;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.jdbc.core.simple.JdbcClient;
import org.springframework.security.config.Customizer;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.http.SessionCreationPolicy;
import org.springframework.security.core.userdetails.User;
import org.springframework.security.core.userdetails.UserDetailsService;
import org.springframework.security.core.userdetails.UsernameNotFoundException;
import org.springframework.security.web.SecurityFilterChain;

/** The access rules. Members log in with their mobile number, on each call (HTTP Basic): the sample has no tokens. */
@Configuration(proxyBeanMethods = false)
class Logins {

    @Bean
    SecurityFilterChain calls(HttpSecurity http) throws Exception {
        return http.authorizeHttpRequests(calls -> calls.requestMatchers("/admin/**")
                        .hasRole("ADMINISTRATOR")
                        .anyRequest()
                        .authenticated())
                .httpBasic(Customizer.withDefaults())
                // There is no session, and so no cookie that another site could use.
                .csrf(csrf -> csrf.disable())
                .sessionManagement(sessions -> sessions.sessionCreationPolicy(SessionCreationPolicy.STATELESS))
                .build();
    }

    /** The name of the principal is the member's id, the key of the caches. */
    @Bean
    UserDetailsService passwords(JdbcClient jdbc) {
        return mobile -> jdbc.sql("SELECT id, password, administrator FROM users WHERE mobile = ?")
                .param(mobile)
                .query((row, number) -> User.withUsername(row.getString("id"))
                        .password(row.getString("password"))
                        .roles(row.getBoolean("administrator") ? "ADMINISTRATOR" : "MEMBER")
                        .build())
                .optional()
                .orElseThrow(() -> new UsernameNotFoundException("there is no such member"));
    }
}
