using System;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;
using TokenMocap;

/// <summary>What both programs share: numbers as text, a stream until it ends, and an end if it does not.</summary>
internal static class Setting
{
    private const int PatienceSeconds = 60;

    public static void GiveUpLater()
    {
        new Timer(state =>
        {
            Console.Error.WriteLine("the sender never said that it ended");
            Environment.Exit(3);
        }, null, TimeSpan.FromSeconds(PatienceSeconds), Timeout.InfiniteTimeSpan);
    }

    /// <summary>Tells whoever started us, on standard output.</summary>
    public static void Say(string word)
    {
        Console.WriteLine(word);
        Console.Out.Flush();
    }

    public static void Write(TextWriter output, params object[] values)
    {
        var line = new StringBuilder();
        foreach (object value in values)
            line.Append(Convert.ToString(value, CultureInfo.InvariantCulture)).Append(' ');
        output.WriteLine(line);
    }
}
