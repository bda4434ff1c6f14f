using System;
using System.IO;
using System.Net.WebSockets;
using System.Text;
using System.Threading;

namespace TokenMocap
{
    /// <summary>The wire format's messages as WebSocket text (RFC 6455), by .NET's own client.</summary>
    public sealed class WebSocketConnection : IConnection
    {
        private readonly ClientWebSocket _socket = new ClientWebSocket();
        private byte[] _buffer = new byte[1 << 16];

        public WebSocketConnection(Uri address, CancellationToken stop)
        {
            try
            {
                _socket.ConnectAsync(address, stop).GetAwaiter().GetResult();
            }
            catch
            {
                _socket.Dispose();
                throw;
            }
        }

        public string Receive(CancellationToken stop)
        {
            int length = 0;
            while (true)
            {
                if (length == _buffer.Length) Grow();
                var free = new ArraySegment<byte>(_buffer, length, _buffer.Length - length);
                WebSocketReceiveResult result = _socket.ReceiveAsync(free, stop).GetAwaiter().GetResult();
                if (result.MessageType == WebSocketMessageType.Close) return null;
                length += result.Count;
                if (result.EndOfMessage) return Encoding.UTF8.GetString(_buffer, 0, length);
            }
        }

        public void Dispose()
        {
            _socket.Abort();
            _socket.Dispose();
        }

        private void Grow()
        {
            if (_buffer.Length >= Connections.LongestMessage) throw new InvalidDataException("a message longer than 1 MiB");
            Array.Resize(ref _buffer, _buffer.Length * 2);
        }
    }
}
