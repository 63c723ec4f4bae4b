package dev.usher.spring;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * A parameter of a controller's method that is the user who calls, as Spring Security has authenticated them and the caches know
 * them.
 *
 * <pre>{@code
 * @GetMapping("/me")
 * UserProfile me(@CurrentUser UserProfile me) {
 *     return me;
 * }
 * }</pre>
 *
 * <p>The parameter is the user's id, or the value of any facet that has a cache, such as {@link dev.usher.UserProfile} or {@link
 * dev.usher.UserStatus}, or an {@link java.util.Optional} of either. An {@code Optional} is empty when nobody is authenticated, and
 * when there is no such user; without one, the first is answered as Spring Security answers it (401, or a page to log in), and the
 * second is forbidden (403). What cannot be said for the moment is 503, with and without one. An id alone says nothing of whether
 * the user exists.
 *
 * <p>It works in the methods of Spring MVC: those of controllers and of their advice. An application that has it at any other
 * method, such as a message handler, does not start.
 *
 * <p>Who the user is, says the {@link CurrentUserId}. May be put on an annotation of the application's own.
 */
@Documented
@Retention(RetentionPolicy.RUNTIME)
@Target({ElementType.PARAMETER, ElementType.ANNOTATION_TYPE})
public @interface CurrentUser {}
