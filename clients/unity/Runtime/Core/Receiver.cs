using System;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.WebSockets;
using System.Threading;

namespace TokenMocap
{
    /// <summary>A message and when it came, in seconds on `Receiver.Now`'s clock.</summary>
    public struct Arrival
    {
        public WireMessage Message;
        public double ReceivedAt;
    }

    /// <summary>
    /// Receives on a thread of its own and connects again for as long as it lives, after waits that grow. Whoever drains
    /// it too slowly misses the oldest messages.
    /// </summary>
    public sealed class Receiver : IDisposable
    {
        /// <summary>A sender tells its skeleton every second: after this many seconds of silence it is gone.</summary>
        private const double SilenceIsLoss = 5;
        private const double FirstWait = 0.25;
        private const double LongestWait = 4;
        private const int LongestQueue = 256;
        private const int JoinMilliseconds = 2000;

        private static readonly Stopwatch Clock = Stopwatch.StartNew();

        private readonly Func<CancellationToken, IConnection> _open;
        private readonly string _address;
        private readonly ConcurrentQueue<Arrival> _queue = new ConcurrentQueue<Arrival>();
        private StreamJoints _joints; // of the newest skeleton; the reading thread alone uses it
        private readonly CancellationTokenSource _stop = new CancellationTokenSource();
        private readonly Thread _thread;
        private volatile bool _isConnected;
        private volatile string _problem;
        private double _wait = FirstWait; // seconds before the next attempt; the thread's own

        /// <summary>Starts at once; that nobody answers is no error. Throws AddressException.</summary>
        public Receiver(string address)
        {
            _address = address;
            _open = Connections.Opener(address);
            _thread = new Thread(Run) { IsBackground = true, Name = "tokenmocap " + address };
            _thread.Start();
        }

        /// <summary>Seconds on the clock of `Arrival.ReceivedAt`.</summary>
        public static double Now => Clock.Elapsed.TotalSeconds;

        public bool IsConnected => _isConnected;

        /// <summary>One line on what keeps messages away at present, or null.</summary>
        public string Problem => _problem;

        public bool TryTake(out Arrival arrival) => _queue.TryDequeue(out arrival);

        public void Dispose()
        {
            _stop.Cancel();
            _thread.Join(JoinMilliseconds);
        }

        private void Run()
        {
            while (!_stop.IsCancellationRequested)
            {
                try
                {
                    ReceiveUntilLost();
                    _problem = _address + ": the sender ended the stream; trying again";
                }
                catch (Exception error) when (!_stop.IsCancellationRequested)
                {
                    _problem = _address + ": " + Reason(error) + "; trying again";
                }
                catch (Exception)
                {
                    return; // asked to stop: what a socket throws while it is closed under us says nothing
                }
                finally
                {
                    _isConnected = false;
                }
                if (_stop.Token.WaitHandle.WaitOne(TimeSpan.FromSeconds(_wait))) return;
                _wait = Math.Min(_wait * 2, LongestWait);
            }
        }

        private void ReceiveUntilLost()
        {
            using (var patience = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token))
            {
                patience.CancelAfter(TimeSpan.FromSeconds(SilenceIsLoss));
                using (IConnection connection = _open(patience.Token))
                {
                    _isConnected = true;
                    string text;
                    while ((text = connection.Receive(patience.Token)) != null)
                    {
                        patience.CancelAfter(TimeSpan.FromSeconds(SilenceIsLoss));
                        Take(text, Now);
                    }
                }
            }
        }

        private void Take(string text, double receivedAt)
        {
            WireMessage message;
            try
            {
                message = WireFormat.Parse(text, _joints);
            }
            catch (WireException error)
            {
                _problem = _address + ": " + error.Message;
                return;
            }
            _problem = null;
            _wait = FirstWait;
            if (message == null) return;
            if (message is SkeletonMessage skeleton) _joints = skeleton.Joints;
            if (_queue.Count >= LongestQueue) _queue.TryDequeue(out _);
            _queue.Enqueue(new Arrival { Message = message, ReceivedAt = receivedAt });
        }

        private static string Reason(Exception error)
        {
            if (error is OperationCanceledException) return "nothing was heard for a while";
            while (error.InnerException != null) error = error.InnerException;
            return error is WebSocketException ? "no WebSocket there (" + error.Message + ")" : error.Message;
        }
    }
}
