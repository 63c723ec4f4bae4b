/**
 * usher in a Spring Boot application: name the table of users in {@code usher.jdbc.table}, or declare a {@link
 * dev.usher.UserSource} bean, and inject {@link dev.usher.UserProfileCache}, {@link dev.usher.UserStatusCache} or {@link
 * dev.usher.UserCaches}.
 *
 * <p>In a web application with Spring Security, controllers can take the {@link dev.usher.spring.CurrentUser} as a parameter.
 * Disabled users are refused, and so are callers that are not users, unless a {@link dev.usher.spring.StatusGatePass} lets them
 * pass. A {@link dev.usher.spring.CurrentUserId} maps an authentication to a user's id if the principal's name is not the id.
 *
 * <p>The settings are those of {@link dev.usher.spring.UsherProperties}; Redis is where the application's own {@code
 * spring.data.redis} settings say.
 */
@NullMarked
package dev.usher.spring;

import org.jspecify.annotations.NullMarked;
