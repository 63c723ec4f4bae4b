/**
 * usher in a Spring Boot application: name the table of users in {@code usher.jdbc.table}, or declare a {@link
 * dev.usher.UserSource} bean, and inject {@link dev.usher.UserProfileCache}, {@link dev.usher.UserStatusCache} or {@link
 * dev.usher.UserCaches}.
 *
 * <p>The settings are those of {@link dev.usher.spring.UsherProperties}; Redis is where the application's own {@code
 * spring.data.redis} settings say.
 */
@NullMarked
package dev.usher.spring;

import org.jspecify.annotations.NullMarked;
