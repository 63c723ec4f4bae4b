package dev.usher.spring;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Marks a parameter of a controller's method as the current user: the user that Spring Security has authenticated, as the
 * caches know them.
 *
 * <pre>{@code
 * @GetMapping("/me")
 * UserProfile me(@CurrentUser UserProfile me) {
 *     return me;
 * }
 * }</pre>
 *
 * <p>The parameter is the user's id, or the value of any facet that has a cache, such as {@link dev.usher.UserProfile} or
 * {@link dev.usher.UserStatus}, or an {@link java.util.Optional} of either. An {@code Optional} is empty for a request without
 * authentication, and for a user that does not exist. Without an {@code Optional}, the former is answered as Spring Security
 * does (401, or a login page), and the latter with 403. A value that is unavailable at the moment is answered with 503 in both
 * cases. An id alone does not tell whether the user exists.
 *
 * <p>It works in the methods of Spring MVC: those of controllers and of their advice. An application that uses it on any other
 * method, such as a message handler, does not start.
 *
 * <p>The {@link CurrentUserId} maps the authentication to the id. This annotation may be a meta-annotation.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.PARAMETER, ElementType.ANNOTATION_TYPE})
public @interface CurrentUser {}
