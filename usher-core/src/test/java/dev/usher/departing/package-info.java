/** An application that ends while the JVM goes on, as in an application server, or when it is started again by a tool. */
@NullMarked
package dev.usher.departing;

import org.jspecify.annotations.NullMarked;
