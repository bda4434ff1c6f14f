// The part of NUnit 3 that the package's tests use, and a runner for them, as Unity's Test Runner is not at hand.
using System;
using System.Reflection;

namespace NUnit.Framework
{
    public sealed class TestAttribute : Attribute { }

    public sealed class AssertionException : Exception
    {
        public AssertionException(string message) : base(message) { }
    }

    public static class Assert
    {
        public static void IsTrue(bool condition, string message = null)
        {
            if (!condition) throw new AssertionException(message ?? "expected true");
        }

        public static void IsFalse(bool condition, string message = null) { IsTrue(!condition, message ?? "expected false"); }

        public static void IsNull(object value) { IsTrue(value == null, "expected null, was " + value); }

        public static void AreEqual(object expected, object actual, string message = null)
        {
            if (!Equals(expected, actual)) throw new AssertionException("expected " + expected + ", was " + actual + " " + message);
        }

        public static void AreEqual(double expected, double actual, double delta, string message = null)
        {
            if (!(Math.Abs(expected - actual) <= delta))
                throw new AssertionException("expected " + expected + " within " + delta + ", was " + actual + " " + message);
        }

        public static T Throws<T>(Action code, string message = null) where T : Exception
        {
            try
            {
                code();
            }
            catch (T error)
            {
                return error;
            }
            throw new AssertionException("expected " + typeof(T).Name + " " + message);
        }
    }

    public static class Runner
    {
        /// <summary>A line a test, "ok NAME" or "FAILED NAME: why"; exits 1 if one failed.</summary>
        public static int Main()
        {
            int failed = 0;
            foreach (Type type in Assembly.GetExecutingAssembly().GetTypes())
            {
                foreach (MethodInfo method in type.GetMethods())
                {
                    if (!method.IsDefined(typeof(TestAttribute), false)) continue;
                    string name = type.Name + "." + method.Name;
                    try
                    {
                        method.Invoke(Activator.CreateInstance(type), null);
                        Console.WriteLine("ok " + name);
                    }
                    catch (TargetInvocationException error)
                    {
                        failed++;
                        Console.WriteLine("FAILED " + name + ": " + error.InnerException);
                    }
                }
            }
            return failed == 0 ? 0 : 1;
        }
    }
}
